"""The playground on a real terminal (a pty), with a real process for a server that follows a script."""

import contextlib
import json
import signal
import sys
import termios

import pytest

from tests.cli.conftest import PLAY

if sys.platform == "win32":
    pytest.skip("needs a pty", allow_module_level=True)

from tests.cli.terminal import Terminal

TAB, ESC, ENTER, LEFT = "\t", "\x1b", "\r", "\x1b[D"
ALT_RIGHT, CTRL_RIGHT, CTRL_SPACE, CTRL_END = "\x1b[1;3C", "\x1b[1;5C", "\x00", "\x1b[1;5F"
CTRL_C, CTRL_Q, CTRL_S, CTRL_Z = "\x03", "\x11", "\x13", "\x1a"
WORDS = "words = sentence.split()"
REST = 'return " ".join(reversed(words))'
SCRIPT = {
    "// 2]\n    ": f"{WORDS}\n    {REST}",
    "call(": "!replace 1 a, b)",
    "if ok: ": "one\n    two\n    three",
    "你好 = ": "'世界 🎉'",
    "boom": "!error The key was refused. Set DASHSCOPE_API_KEY.",
    "die": "!die",
}


@contextlib.contextmanager
def playground(*words, script=SCRIPT, **options):
    with Terminal([*PLAY, json.dumps(script), *words], **options) as terminal:
        terminal.see("qwen-ls try", "Ctrl-Q quit")
        yield terminal


@pytest.fixture
def sample():
    with playground() as terminal:
        terminal.see(WORDS, REST, "from the model")
        yield terminal


@pytest.fixture
def empty(tmp_path):
    with playground("new.py", cwd=tmp_path) as terminal:
        terminal.see("no suggestion")
        yield terminal


def test_multi_line_ghost_is_drawn_below_the_cursor(sample):
    row = sample.row_of(WORDS)
    assert sample.in_italics(row) == WORDS
    assert sample.lines[row] == f"  9     {WORDS}"
    assert sample.in_italics(row + 1) == REST
    assert sample.lines[row + 1] == f"        {REST}", "a ghost's line has no number"
    assert sample.lines[row + 2].startswith(" 10     return quick_sort(left)")
    assert (sample.screen.cursor.y, sample.screen.cursor.x) == (row, 8)


def test_status_line_names_strategy_model_latency_and_tokens(sample):
    line = sample.lines[sample.row_of("from the model")]
    strategy, model, latency, tokens, _ = (part.strip() for part in line.split("│"))
    assert (strategy, model, tokens) == ("fim", "stub", "83 → 14 tokens")
    assert latency.removesuffix(" ms").isdigit()


def test_tab_accepts_all_and_tells_the_server(stub_log):
    with playground() as terminal:
        terminal.see("from the model")
        terminal.send(TAB)
        terminal.see("no suggestion")
        row = terminal.row_of(REST)
        assert terminal.lines[row] == f" 10     {REST}"
        assert not terminal.in_italics(row)
        terminal.send(CTRL_Q)
        assert terminal.ended() == 0
    commands = [message["params"]["command"] for message in stub_log("workspace/executeCommand")]
    assert "qwen-ls.accepted" in commands


def test_undo_takes_an_accepted_suggestion_back_in_one_step(sample):
    sample.send(TAB)
    sample.see("no suggestion")
    row = sample.row_of(WORDS)
    sample.send(CTRL_Z)
    sample.wait(lambda: sample.in_italics(row) == WORDS)
    assert sample.in_italics(row + 1) == REST


def test_tab_indents_where_there_is_nothing_to_accept(empty):
    empty.send("x" + TAB + "y")
    empty.see("x   y")


@pytest.mark.parametrize("key", [ALT_RIGHT, CTRL_RIGHT, "\x1bf"], ids=["alt-right", "ctrl-right", "alt-f"])
def test_a_word_is_accepted_and_the_rest_stays(sample, key):
    row = sample.row_of(WORDS)
    sample.send(key)
    sample.wait(lambda: sample.in_italics(row) == "= sentence.split()")
    sample.send(key)
    sample.wait(lambda: sample.in_italics(row) == "sentence.split()")
    assert sample.lines[row] == f"  9     {WORDS}"
    assert sample.in_italics(row + 1) == REST


def test_escape_dismisses_and_ctrl_space_asks_again(sample):
    sample.send(ESC)
    sample.gone(WORDS)
    sample.send(CTRL_SPACE)
    sample.see(WORDS, REST)


def test_alt_backslash_asks(sample):
    sample.send(ESC)
    sample.gone(WORDS)
    sample.send("\x1b\\")
    sample.see(WORDS)


def test_typing_along_keeps_the_ghost_in_every_frame(monkeypatch):
    monkeypatch.setenv("STUB_DELAY_S", "0.15")
    with playground() as terminal:
        terminal.see("from the model")
        row = terminal.row_of(WORDS)
        frames, rests = [], []
        for count in range(1, 8):
            terminal.send(WORDS[count - 1])
            rests.append(WORDS[count:].strip())
            terminal.wait(
                lambda: terminal.in_italics(row) == rests[-1] and "type-through" in terminal.text,
                each=lambda: frames.append((terminal.lines[row], terminal.lines[row + 1])),
            )
        assert set(frames) == {(f"  9     {WORDS}", f"        {REST}")}
        assert len(frames) > 7


def test_typing_something_else_drops_the_ghost(sample):
    sample.send("z")
    sample.gone(WORDS)


def test_backspace_over_what_was_typed_along_brings_it_back(sample):
    row = sample.row_of(WORDS)
    sample.send("wo")
    sample.wait(lambda: sample.in_italics(row) == WORDS[2:])
    sample.send("\x7f")
    sample.wait(lambda: sample.in_italics(row) == WORDS[1:])


def test_mid_line_ghost_keeps_what_stands_behind_it(empty):
    empty.send("call()" + LEFT)
    empty.send(CTRL_SPACE)
    empty.see("call(a, b)")
    row = empty.row_of("call(")
    assert empty.lines[row] == "  1 call(a, b)"
    assert empty.in_italics(row) == "a, b", "the bracket is the document's own"
    empty.send(TAB)
    empty.see("no suggestion")
    assert empty.lines[row] == "  1 call(a, b)"


def test_multi_line_ghost_in_the_middle_of_a_line_pushes_the_tail_down(empty):
    empty.send("if ok: # tail" + LEFT * 6 + CTRL_SPACE)
    empty.see("three")
    row = empty.row_of("if ok")
    assert empty.lines[row : row + 3] == ["  1 if ok: one", "        two", "        three# tail"]
    assert empty.in_italics(row + 2) == "three"


def test_wide_characters_take_their_width(empty):
    empty.send("你好 = ")
    empty.see("from the model")
    row = empty.row_of("from the model") - empty.row_of("from the model") + 1
    assert "".join(empty.lines[row].split()) == "1你好='世界🎉'"
    assert empty.screen.cursor.x == 4 + len("你好 = ") + 2
    empty.send(TAB)
    empty.see("no suggestion")
    assert empty.screen.cursor.x == 4 + len("你好 = '世界 🎉'") + 5


def test_enter_keeps_the_indentation_and_deepens_it_in_a_block(empty):
    empty.send("def f():" + ENTER + "x = 1" + ENTER + "y")
    empty.see("  2     x = 1", "  3     y")


def test_large_paste_arrives_whole(empty, stub_log):
    pasted = "".join(f"line_{number} = {number}\r\n" for number in range(3000))
    half = len(pasted) // 2
    empty.send("\x1b[200~" + pasted[:half])
    empty.send(pasted[half:] + "\x1b[201~")
    empty.see("line_2999 = 2999", "3001")


def test_messages_of_the_server_are_shown_until_it_works_again(empty):
    empty.send("boom")
    empty.see("The key was refused. Set DASHSCOPE_API_KEY.", "no suggestion: the endpoint failed")
    empty.send(ENTER + "if ok: ")
    empty.see("three")
    assert "refused" not in empty.text


def test_the_servers_end_is_told_with_a_remedy_and_editing_goes_on(empty):
    empty.send("die")
    empty.see("the server has ended (exit code 7): stub: told to die", "qwen-ls doctor")
    empty.send("x")
    empty.see("diex")
    empty.send(CTRL_S + CTRL_Q)
    assert empty.ended() == 0


def test_a_file_is_saved_with_its_line_ends_and_mark(tmp_path):
    path = tmp_path / "mine.py"
    path.write_bytes("\ufeffa = 1\r\nb = 2\r\n".encode())
    with playground("mine.py", cwd=tmp_path) as terminal:
        terminal.send(CTRL_END + "c = 3")
        terminal.see("c = 3", "mine.py (changed)")
        terminal.send(CTRL_S)
        terminal.see(f"saved {path}"[:60])
        assert "(changed)" not in terminal.text
        terminal.send(CTRL_Q)
        assert terminal.ended() == 0
    assert path.read_bytes() == "\ufeffa = 1\r\nb = 2\r\nc = 3".encode()


def test_leaving_with_changes_asks_once(empty, tmp_path):
    empty.send("x = 1" + CTRL_Q)
    empty.see("Ctrl-Q again drops them")
    empty.send(CTRL_Q)
    assert empty.ended() == 0
    assert not (tmp_path / "new.py").exists()


def test_the_sample_cannot_be_saved(sample):
    sample.send(CTRL_S)
    sample.see("`qwen-ls try FILE`")


@pytest.mark.parametrize("leave", [CTRL_C, CTRL_Q], ids=["ctrl-c", "ctrl-q"])
def test_leaving_restores_the_terminal(sample, leave):
    sample.send(leave)
    assert sample.ended() == 0
    assert termios.tcgetattr(sample.master)[:4] == sample.before[:4]


def test_being_ended_restores_the_terminal(sample):
    sample.process.send_signal(signal.SIGTERM)
    assert sample.ended() == 0
    assert termios.tcgetattr(sample.master)[:4] == sample.before[:4]


def test_a_server_that_does_not_start_is_one_line_and_no_screen(tmp_path):
    program = (
        "import sys; from qwen_ls.commands.playground import play; "
        "from qwen_ls.commands.playground.opened import open_sample; "
        "play(open_sample(), {}, plain=False, command=(sys.executable, '-c', 'raise SystemExit(\"no way\")'))"
    )
    with Terminal([sys.executable, "-c", program]) as terminal:
        assert terminal.ended() != 0
        assert "no way" in terminal.text
        assert termios.tcgetattr(terminal.master)[:4] == terminal.before[:4]


def test_a_small_screen_shows_the_ghost_above_its_lower_edge():
    with playground(columns=60, rows=9) as terminal:
        terminal.see(WORDS, REST)
