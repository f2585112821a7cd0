"""Other packages are silenced for a moment, and nobody else."""

import importlib
import sys
import threading
import warnings

import pytest

from ionvolt.quiet import silenced, without_modules, without_prints


def test_only_what_was_named_is_silenced(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    with silenced("not so", category=UserWarning):
        warnings.warn("not so bad", UserWarning, stacklevel=1)
        warnings.warn("bad", UserWarning, stacklevel=1)
        warnings.warn("not so good", RuntimeWarning, stacklevel=1)
    warnings.warn("not so bad", UserWarning, stacklevel=1)
    assert [str(w.message) for w in recwarn] == ["bad", "not so good", "not so bad"]
    with silenced():
        warnings.warn("anything", stacklevel=1)
    assert len(recwarn) == 3


def test_filters_are_as_they_were_after_many_threads() -> None:
    before = list(warnings.filters)

    def work() -> None:
        for _ in range(200):
            with silenced("a"), silenced("b"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_one_module_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    module = type(sys)("talker")
    exec("def talk(): print('hear, hear')", module.__dict__)
    with without_prints(module):
        module.talk()
        print("others may")
    assert capsys.readouterr().out == "others may\n"
    module.talk()
    assert capsys.readouterr().out == "hear, hear\n"
    with pytest.raises(ZeroDivisionError), without_prints(module):
        raise ZeroDivisionError
    assert "print" not in vars(module)


def test_the_potential_loads_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    from ionvolt.physics.potentials.chgnet import CHGNetPotential

    CHGNetPotential()  # packages that are imported by this set filters of their own
    assert capsys.readouterr().out == ""
    before = list(warnings.filters)
    CHGNetPotential()
    assert capsys.readouterr().out == ""
    assert list(warnings.filters) == before


def test_modules_are_left_out_for_one_thread_and_one_block() -> None:
    found: list[object] = []

    def elsewhere() -> None:
        found.append(importlib.import_module("wave"))

    for name in ("wave", "mailbox"):
        sys.modules.pop(name, None)
    with without_modules("wave", "mailbox", "json"):
        with pytest.raises(ImportError, match="mailbox is left out"):
            importlib.import_module("mailbox")
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert importlib.import_module("json")
    assert found
    assert importlib.import_module("mailbox")
