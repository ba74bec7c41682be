"""The import-time patch: needed, sufficient, restored; and the cost of importing deploy."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
from srnn.deploy.lava import compat
from srnn.export.extras import lava_install, pip_install


def in_new_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_of_deploy_is_light() -> None:
    code = (
        "import sys; before = set(sys.modules);"
        "import srnn.deploy, srnn.deploy.lava.compat;"
        "others = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(*others)"
    )
    others = set(in_new_python(code).split()) & set(packages_distributions())
    assert others <= {"srnn", "lazy_loader", "numpy"}


def test_availability_is_told_without_importing_lava() -> None:
    code = (
        "import sys; from srnn.deploy.lava.compat import available; print(available()[0],"
        "[m for m in sys.modules if m.startswith(('lava', 'scipy'))])"
    )
    assert in_new_python(code) == f"{compat.available()[0]} []"


def test_availability_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "lava_version", lambda: None)
    assert compat.available() == (False, f"lava-nc is not installed ({lava_install('0.10.0')})")
    monkeypatch.setattr(compat, "lava_version", lambda: "0.9.0")
    assert compat.available() == (False, "lava-nc 0.9.0 is installed, srnn runs 0.10.0")
    assert not compat.needs_patch()
    monkeypatch.setattr(compat, "lava_version", lambda: "0.10.0")
    monkeypatch.setattr(compat, "_NEEDED", ("numpy", "no_such_package"))
    ok, reason = compat.available()
    assert not ok
    assert pip_install("no_such_package") in reason


@pytest.mark.lava
def test_lava_imports_after_prepare_and_dataclass_is_restored() -> None:
    code = (
        "import dataclasses; before = dataclasses.dataclass;"
        "from srnn.deploy.lava import compat; compat.prepare();"
        "assert dataclasses.dataclass is before;"
        "from lava.magma.compiler.var_model import CoreEncoder;"
        "one, two = CoreEncoder(), CoreEncoder(); print(one == two, one.x.base)"
    )
    assert in_new_python(code) == "True 0"


@pytest.mark.lava
@pytest.mark.skipif(not compat.needs_patch(), reason="this Python imports Lava as it is")
def test_the_mend_is_needed_and_gives_each_object_its_own_default() -> None:
    code = (
        "try:\n import lava.magma.compiler.var_model\n"
        "except ValueError as error: print('mutable default' in str(error))"
    )
    assert in_new_python(code) == "True"
    code = (
        "from srnn.deploy.lava import compat; compat.prepare();"
        "from lava.magma.compiler.var_model import CoreEncoder;"
        "print(CoreEncoder().x is CoreEncoder().x)"
    )
    assert in_new_python(code) == "False"


def test_only_the_named_module_is_changed_and_an_error_restores() -> None:
    original = dataclasses.dataclass

    @dataclasses.dataclass
    class Inner:
        value: int = 3

    with compat.mutable_defaults_as_factories("some.module"):

        @dataclasses.dataclass(frozen=True)
        class Here:
            number: int = 1

        def make(module: str) -> type:
            body = {"__annotations__": {"x": Inner}, "x": Inner(), "__module__": module}
            return dataclasses.dataclass(type("Made", (), body))

        made = make("some.module")
        assert made().x == Inner()
        assert made().x is not made().x
        if sys.version_info >= (3, 11):
            with pytest.raises(ValueError, match="mutable default"):
                make("another.module")
    assert Here() == Here(1)
    assert dataclasses.dataclass is original

    def fail() -> None:
        with compat.mutable_defaults_as_factories("some.module"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert dataclasses.dataclass is original
