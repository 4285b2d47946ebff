"""Every distribution of the workspace is whole and named wherever it has to be named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from .conftest import Distribution


def test_every_member_is_named_after_its_folder_and_whole(members: list[Distribution], root: Distribution) -> None:
    for member in members:
        package = "codetether" if member.name == "codetether-core" else member.name.replace("-", "_")
        assert [folder.name for folder in (member.folder / "src").iterdir()] == [package]
        assert (member.folder / "src" / package / "__init__.py").read_text().startswith('"""')
        assert (member.folder / "src" / package / "py.typed").exists()
        assert (member.folder / "README.md").read_text().startswith(f"# {member.name}\n")
        assert (member.folder / "LICENSE").read_text() == (root.folder / "LICENSE").read_text()


def test_the_version_stands_in_one_place(root: Distribution, members: list[Distribution]) -> None:
    for distribution in [root, *members]:
        hatch = distribution.table["tool"]["hatch"]
        assert distribution.table["project"]["dynamic"] == ["version"]
        assert (distribution.folder / hatch["version"]["path"]).resolve() == (
            root.folder / "core" / "src" / "codetether" / "_version.py"
        )


def test_every_plugin_declares_one_module_of_its_own(plugins: list[Distribution]) -> None:
    for plugin in plugins:
        declared = plugin.table["project"].get("entry-points", {}).get("codetether", {})
        package = plugin.name.replace("-", "_")
        assert list(declared.values()) == ([] if plugin.is_library else [f"{package}.plugin"])
        assert all(plugin.folder.name in name for name in declared)  # `github-copilot` lies in the folder `copilot`
        assert (plugin.folder / "src" / package / "plugin.py").exists() is not plugin.is_library


def test_the_root_brings_every_member(root: Distribution, members: list[Distribution]) -> None:
    extras = root.table["project"]["optional-dependencies"].keys() - {"test"}
    asked = [*root.requirements(), *(it for extra in extras for it in root.requirements(extra))]
    brought = {it.name for it in asked}
    names = {member.name for member in members}
    assert brought - {root.name} == names
    assert set(root.table["tool"]["uv"]["sources"]) == names | {root.name}


def test_tests_get_everything_and_all_names_every_extra(root: Distribution) -> None:
    everything = {extra for it in root.requirements("all") for extra in it.extras}
    assert everything == set(root.table["project"]["optional-dependencies"]) - {"all", "test"}
    assert Requirement("codetether-agent[all]") in root.requirements("test")


def test_types_are_checked_in_every_member(root: Distribution, members: list[Distribution]) -> None:
    sources = {f"$MYPY_CONFIG_FILE_DIR/{member.folder.relative_to(root.folder)}/src" for member in members}
    assert set(root.table["tool"]["mypy"]["mypy_path"]) == sources


def test_a_plugin_asks_for_the_core_and_a_provider_for_the_wires_that_it_builds_on(plugins: list[Distribution]) -> None:
    for plugin in plugins:
        ours = {asked.name for asked in plugin.requirements() if asked.name.startswith("codetether-")}
        others = ours - {"codetether-core"} - {library.name for library in plugins if library.is_library}
        provides = plugin.name.startswith("codetether-provider-")
        assert "codetether-core" in ours
        assert all(provides and other.startswith("codetether-provider-") for other in others)


def test_constraints_are_names_and_versions_of_everything_asked_for(
    root: Distribution, members: list[Distribution]
) -> None:
    text = (root.folder / "constraints.txt").read_text()
    assert "/" not in text
    assert "@" not in text
    pinned = {pin.name: str(pin.specifier).removeprefix("==") for pin in map(Requirement, text.splitlines())}
    asked = [requirement for member in members for requirement in member.requirements()] + root.requirements("test")
    strangers = [requirement for requirement in asked if not requirement.name.startswith("codetether-")]
    unmet = [str(it) for it in strangers if not it.specifier.contains(pinned.get(it.name, "0"))]
    assert unmet == [], "run `make constraints`"


def test_what_a_tool_leaves_behind_is_ignored(root: Distribution) -> None:
    ignored = set((root.folder / ".gitignore").read_text().splitlines())
    assert {"uv.lock", ".venv/", "dist/", "__pycache__/"} <= ignored
    assert (root.folder / "LICENSE").read_text().startswith("MIT License\n")
