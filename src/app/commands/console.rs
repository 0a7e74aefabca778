//! The console itself: help, palette, pause, theme, ending.

use super::{LOOKS, always};
use crate::app::{
    App, Overlay,
    command::{Command, Danger, Scope},
    effect::Effect,
    palette::Palette,
    prompt::Prompt,
};
use crate::model::inventory::ThemeName;

pub(in crate::app) const COMMANDS: &[Command] = &[
    Command {
        id: "console.answer",
        title: "Answer a question of a connection",
        hint: "answer",
        doc: "Shows the next question that a connection waits for: a passphrase or an unknown host key.",
        scope: Scope::Everywhere,
        danger: Danger::Console,
        available: |here| {
            if Prompt::first_waiting(here.app).is_some() {
                Ok(())
            } else {
                Err("No connection waits for an answer.".to_owned())
            }
        },
        act: |app| {
            if let Some(prompt) = Prompt::first_waiting(app) {
                app.overlay = Overlay::Prompt(prompt);
            }
            Vec::new()
        },
    },
    Command {
        id: "console.pause",
        title: "Pause the display",
        hint: "pause",
        doc: "Freezes what is shown, so that it can be read in peace; polling goes on. Once more goes back to now.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| {
            app.toggle_pause();
            Vec::new()
        },
    },
    Command {
        id: "console.palette",
        title: "Find a command, node or server",
        hint: "command",
        doc: "Type parts of its name, Enter takes the marked line.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| {
            app.overlay = Overlay::Palette(Palette::new(app));
            Vec::new()
        },
    },
    Command {
        id: "console.help",
        title: "Explain this screen and this row",
        hint: "help",
        doc: "Says what this screen answers, what the row is about, and what every key does.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| {
            app.overlay = Overlay::Help(0);
            Vec::new()
        },
    },
    Command {
        id: "console.theme",
        title: "Next theme: dark, light, no colours",
        hint: "",
        doc: "Changes the colours until the console ends; the configuration says which theme it starts with.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |app| {
            app.options.theme = match app.options.theme {
                ThemeName::Dark => ThemeName::Light,
                ThemeName::Light => ThemeName::Mono,
                ThemeName::Mono => ThemeName::Dark,
            };
            Vec::new()
        },
    },
    Command {
        id: "console.redraw",
        title: "Draw everything again",
        hint: "",
        doc: "For when something else has written on the terminal.",
        scope: Scope::Everywhere,
        danger: LOOKS,
        available: always,
        act: |_| vec![Effect::Redraw],
    },
    Command {
        id: "console.suspend",
        title: "Suspend",
        hint: "",
        doc: "Gives the terminal back to the shell; `fg` returns. Connections may be lost meanwhile.",
        scope: Scope::Everywhere,
        danger: Danger::Console,
        available: always,
        act: |_| vec![Effect::Suspend],
    },
    Command {
        id: "console.quit",
        title: "Quit",
        hint: "quit",
        doc: "Ends the console and closes its connections. Nothing on the nodes changes; a run that goes on is left alone.",
        scope: Scope::Everywhere,
        danger: Danger::Console,
        available: always,
        act: App::end,
    },
];
