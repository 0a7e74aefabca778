//! Takes the terminal over as the console does, and panics. `tests/terminal` looks at what is left behind.

use vakt::runtime::terminal::{Terminal, install_panic_hook};

#[expect(clippy::panic, reason = "panicking is what this program is for")]
fn main() -> color_eyre::Result<()> {
    install_panic_hook()?;
    let mut terminal = Terminal::take(true)?;
    terminal.draw(|frame| frame.render_widget("about to panic", frame.area()))?;
    panic!("on purpose");
}
