"""The question before money is spent, on a real terminal: it names the sum, and takes the answer that the guards ask for."""

from __future__ import annotations

import sys

import pexpect
import pytest

from reconciler.emulator.server import Emulator
from tests.life.folder import Folder


@pytest.mark.parametrize(("answers", "code", "charges"), [("yes", 10, 0), ("8.00", 10, 0), ("16.00", 0, 2), ("$16.00", 0, 2)])
def test_above_confirm_over_the_amount_is_typed(one_folder: Folder, one_emulator: Emulator, answers: str, code: int, charges: int) -> None:
    path = one_folder.path / "reconciler.yaml"
    path.write_text(path.read_text() + "guards:\n  confirm_over: 10.00\n")
    one_folder.models(otter={"steps": 100}, heron={"steps": 200})
    terminal = pexpect.spawn(
        sys.executable, ["-m", "reconciler", "apply"], cwd=str(one_folder.path), env=one_folder.environment(), encoding="utf-8", timeout=60
    )
    terminal.expect(r"Buy this for \$16\.00 .*type the amount, 16\.00: ")
    terminal.sendline(answers)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == code
    assert len(one_emulator.books.charges()) == charges


def test_ctrl_c_at_the_question_buys_nothing(one_folder: Folder, one_emulator: Emulator) -> None:
    """P7."""
    one_folder.models(otter={"steps": 100})
    terminal = pexpect.spawn(
        sys.executable, ["-m", "reconciler", "apply"], cwd=str(one_folder.path), env=one_folder.environment(), encoding="utf-8", timeout=60
    )
    terminal.expect("type yes: ")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert not one_emulator.books.charges()
