"""A plugin-based framework for coding agents: every public name, loaded when it is first used."""

from __future__ import annotations

from codetether._version import __version__ as __version__

_ROOMS = {
    "errors": """
        AuditFailed AuthenticationFailed CodetetherError ConnectionFailed ContextFull ContextOverflow
        CredentialError DeadlineExceeded ExecutorError IncompleteResponse InvalidRequest InvalidSessionId
        JournalDamaged JournalTooNew MalformedResponse ModelNotFound NoProviderAvailable PluginError ProviderError
        QuotaExhausted RateLimited RequiredPluginMissing ServerFailed SessionBusy SessionLocked SessionNotFound
        SettingsError SourceDamaged StorageError UnknownModel UsageError
    """,
    "hookspecs": "hookimpl",
    "runtime": "Runtime",
    "session.running": "RunningSession",
    "session.workplace": "workplace",
    "functions": "FunctionTools tool",
    "models.record": "JSON Record Unknown",
    "models.messages": """
        FilePart ImagePart Message MessagePart Part RefusalPart Role TextPart ThinkingPart ToolCallPart
        ToolResultPart user
    """,
    "models.completion": """
        CompletionRequest CompletionResponse FinishReason Finished ModelLimits ModelRef RefusalDelta ResponseStarted
        SamplingParams StreamChunk TextDelta ThinkingDelta ToolCallDelta ToolChoice Usage UsageReported WholePart
    """,
    "models.tools": """
        Answer Completed Confinement ConfinementProperty Decision Effect Mode PermissionRequest Question Resources
        ToolCall ToolDefinition ToolExample ToolResult Verdict error_result text_result
    """,
    "models.approvals": "ApprovalRequest KeptApproval Scope",
    "models.providers": "Availability LocalModel Provider Secret",
    "models.session": """
        Announced Compacted CompactionUndone Gap JournalEntry JournalRecord MessageAdded MetadataChanged Remembered
        Session SessionMetadata SessionResult SessionStarted SessionSummary TitleChanged ToolCallSummary
        ToolCompleted ToolIntent ToolUse TurnEnded
    """,
    "models.foreign": "ForeignSession ForeignSummary Unreadable",
    "models.events": """
        ApprovalRequired AuditAnchor CHAT_EVENT_SCHEMA ChatEvent Compaction Done Error EventRecord Notice Retry
        SessionEvent SessionSync Status TextChunk TextComplete Thinking ThinkingChunk ThinkingComplete
        ToolCallComplete ToolCallOutput ToolCallStart SubagentEvent UsageReport UserMessage Why
    """,
    "models.window": "Window estimated_tokens",
    "models.archive": "ArchiveProgress ArchiveReport EventArchive",
    "models.audit": "AuditCategory AuditEntry AuditOutcome",
    "permissions.places": "secret_name",
    "plugin_contexts": "PluginContext SessionContext ToolContext",
    "protocols": """
        AnchoredAuditSink AuditSink Catalogue Compactor ConfiningExecutor Connection ContextPolicy CredentialSource
        CredentialStore Credentials EventSink Executor ModelStore PermissionPolicy Person Process PromptSection
        ResultReviewer Selector SlashCommand SpokenCalls Tool ToolCallRouter ToolCallScanner ToolFilter Toolset Wire
    """,
    "specs": """
        AgentSpec AuditSinkSpec CatalogueSpec ContextPolicySpec CredentialSourceSpec EventSinkSpec ExecutorSpec LAST
        ModelDefaults PolicySpec PromptSectionSpec ProviderSpec ResultReviewerSpec RouterSpec SelectorSpec
        SessionFormatSpec SettingsSpec SlashCommandSpec T ToolFilterSpec ToolsetSpec WireSpec
    """,
    "deferred_tool": "DeferredTool",
    "builtin.executor": "Launch LocalExecutor",
    "images": "IMAGE_LIMIT image_flaw image_type",
    "formats.fields": "Fields data_url decoded moment",
    "formats.markdown": "HeadedText headed_text",
    "formats.unseen": "spelled_out",
    "formats.protocols": "SessionFinder SessionFormat SessionWriter",
    "formats.source": "SourceFile json_value",
    "formats.transcript": "Transcript foreign_id",
    "settings.settings": "Directories Settings load_settings",
    "settings.trust": "is_trusted",
    "record.audit_key": "AuditKey AuditUse body_digest derived_key key_bytes",
    "cli.config": "keep_setting",
    "cli.table": "as_json print_json print_table",
    "cli.terminal": "Screen visible",
    "cli.sign_in": "SignIn SignedIn sign_in",
    "storage.disk": "Disk",
    "storage.durable": "AppendFile FileLock private_directory replace_file",
    "storage.segments": "Segment SegmentLimits Segments",
    "storage.streams": "StreamFile read_sealed stream_files stream_sessions stream_stamp",
    "wire": "from_dict from_json storable to_dict to_json",
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'codetether' has no attribute {name!r}")
    from importlib import import_module  # here, with no typing above: `--version` pays for every import

    value = getattr(import_module(f"codetether.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__"])
