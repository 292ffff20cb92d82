"""Documents of files: which there are, and where their problems stand."""

import pytest

from omni.errors import InvalidInput
from registry.versions import files

TEXT = "# Greets.\nomni: 1\nid: greet\ntrigger: [{event: message.text}]\nsteps: [{stop: done}]\n"
BROKEN = TEXT.replace("greet", "other").replace("done", "dome")


def test_lines_are_those_of_the_file_when_it_holds_several_documents(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(f"# of all\n---\n{TEXT}---\n{BROKEN}")

    [found] = files.check(files.read([path]))

    assert str(found).startswith(f"{path}:13:16: stop: 'dome' is not one of")


def test_texts_are_as_written_without_the_lines_that_separate_them(tmp_path):
    (tmp_path / "a.yaml").write_bytes(
        b"\xef\xbb\xbf# of all\r\n--- \r\n" + TEXT.encode() + b"---\n\n# end\n")

    [one] = files.read([tmp_path])

    assert (one.text, one.slug) == ("# of all\r\n" + TEXT, "greet")
    assert one.lines == (1, 3, 4, 5, 6, 7)


def test_workflow_in_two_files_is_an_error(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(TEXT)

    [found] = files.check(files.read([tmp_path]))

    assert str(found) == (f"{tmp_path}/b.yaml:3:1: workflow 'greet' stands in "
                          f"{tmp_path}/a.yaml:1 as well")


def test_file_that_is_named_twice_is_read_once(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(TEXT)
    (tmp_path / "again.yaml").symlink_to(path)

    assert len(files.read([path, tmp_path, path])) == 1


def test_folders_are_read_at_any_depth_in_a_stable_order(tmp_path):
    for name in ("b.yaml", "a/z.yaml", "a/b/c.yaml", "a/notes.txt", "a/.d.yaml.part"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TEXT)

    assert [str(one.file.relative_to(tmp_path)) for one in files.read([tmp_path])] == [
        "a/b/c.yaml", "a/z.yaml", "b.yaml"]


def test_folder_that_cannot_be_looked_into_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "closed").mkdir()
    scandir = files.os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(files.os, "scandir", refuse)  # tests may run as root, whom nothing stops

    with pytest.raises(InvalidInput, match="closed cannot be read: Permission denied"):
        files.read([tmp_path])
