"""What type checkers see of the public names."""

from codetether._version import __version__ as __version__
from codetether.builtin.executor import Launch as Launch
from codetether.builtin.executor import LocalExecutor as LocalExecutor
from codetether.cli.config import keep_setting as keep_setting
from codetether.cli.sign_in import SignedIn as SignedIn
from codetether.cli.sign_in import SignIn as SignIn
from codetether.cli.sign_in import sign_in as sign_in
from codetether.cli.table import as_json as as_json
from codetether.cli.table import print_json as print_json
from codetether.cli.table import print_table as print_table
from codetether.cli.terminal import Screen as Screen
from codetether.cli.terminal import visible as visible
from codetether.deferred_tool import DeferredTool as DeferredTool
from codetether.errors import *
from codetether.formats.fields import Fields as Fields
from codetether.formats.fields import data_url as data_url
from codetether.formats.fields import decoded as decoded
from codetether.formats.fields import moment as moment
from codetether.formats.markdown import HeadedText as HeadedText
from codetether.formats.markdown import headed_text as headed_text
from codetether.formats.protocols import SessionFinder as SessionFinder
from codetether.formats.protocols import SessionFormat as SessionFormat
from codetether.formats.protocols import SessionWriter as SessionWriter
from codetether.formats.source import SourceFile as SourceFile
from codetether.formats.source import json_value as json_value
from codetether.formats.transcript import Transcript as Transcript
from codetether.formats.transcript import foreign_id as foreign_id
from codetether.formats.unseen import spelled_out as spelled_out
from codetether.functions import FunctionTools as FunctionTools
from codetether.functions import tool as tool
from codetether.hookspecs import hookimpl as hookimpl
from codetether.images import IMAGE_LIMIT as IMAGE_LIMIT
from codetether.images import image_flaw as image_flaw
from codetether.images import image_type as image_type
from codetether.models.approvals import ApprovalRequest as ApprovalRequest
from codetether.models.approvals import KeptApproval as KeptApproval
from codetether.models.approvals import Scope as Scope
from codetether.models.archive import ArchiveProgress as ArchiveProgress
from codetether.models.archive import ArchiveReport as ArchiveReport
from codetether.models.archive import EventArchive as EventArchive
from codetether.models.audit import *
from codetether.models.completion import *
from codetether.models.events import *
from codetether.models.events import Compaction as Compaction
from codetether.models.events import Why as Why
from codetether.models.foreign import *
from codetether.models.messages import *
from codetether.models.providers import *
from codetether.models.record import JSON as JSON
from codetether.models.record import Record as Record
from codetether.models.record import Unknown as Unknown
from codetether.models.session import *
from codetether.models.session import Compacted as Compacted
from codetether.models.session import CompactionUndone as CompactionUndone
from codetether.models.tools import *
from codetether.models.window import Window as Window
from codetether.models.window import estimated_tokens as estimated_tokens
from codetether.permissions.places import secret_name as secret_name
from codetether.plugin_contexts import PluginContext as PluginContext
from codetether.plugin_contexts import SessionContext as SessionContext
from codetether.plugin_contexts import ToolContext as ToolContext
from codetether.protocols import *
from codetether.protocols import Compactor as Compactor
from codetether.record.audit_key import AuditKey as AuditKey
from codetether.record.audit_key import AuditUse as AuditUse
from codetether.record.audit_key import body_digest as body_digest
from codetether.record.audit_key import derived_key as derived_key
from codetether.record.audit_key import key_bytes as key_bytes
from codetether.runtime import Runtime as Runtime
from codetether.session.running import RunningSession as RunningSession
from codetether.session.workplace import workplace as workplace
from codetether.settings.settings import Directories as Directories
from codetether.settings.settings import Settings as Settings
from codetether.settings.settings import load_settings as load_settings
from codetether.settings.trust import is_trusted as is_trusted
from codetether.specs import *
from codetether.storage.disk import Disk as Disk
from codetether.storage.durable import AppendFile as AppendFile
from codetether.storage.durable import FileLock as FileLock
from codetether.storage.durable import private_directory as private_directory
from codetether.storage.durable import replace_file as replace_file
from codetether.storage.segments import Segment as Segment
from codetether.storage.segments import SegmentLimits as SegmentLimits
from codetether.storage.segments import Segments as Segments
from codetether.storage.streams import StreamFile as StreamFile
from codetether.storage.streams import read_sealed as read_sealed
from codetether.storage.streams import stream_files as stream_files
from codetether.storage.streams import stream_sessions as stream_sessions
from codetether.storage.streams import stream_stamp as stream_stamp
from codetether.wire import from_dict as from_dict
from codetether.wire import from_json as from_json
from codetether.wire import storable as storable
from codetether.wire import to_dict as to_dict
from codetether.wire import to_json as to_json
