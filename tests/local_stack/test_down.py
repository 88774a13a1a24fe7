"""``run.sh down``: what it removes and what it leaves."""

from local_stack.console import make_console
from local_stack.down import down
from local_stack.layout import Layout
from local_stack.parts import SERVERS
from readings.settings import Settings


def test_with_data_it_removes_what_a_stack_made_and_nothing_else_that_is_in_the_folder(
    settings: Settings, layout: Layout
) -> None:
    """SKYWATT_DATA may name a disk that holds more."""
    for name in (*SERVERS, "checkpoints/main"):
        (layout.root / name / "data").mkdir(parents=True)
    thesis = layout.root / "thesis.txt"
    thesis.write_text("three years")
    assert down(make_console(), settings, data=True) == 0
    assert list(layout.root.iterdir()) == [thesis]
    thesis.unlink()
    layout.make()
    assert down(make_console(), settings, data=True) == 0
    assert not layout.root.exists()
