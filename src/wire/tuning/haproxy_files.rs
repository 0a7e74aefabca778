//! The files of HAProxy on a node: which it reads is told by the command line of the process, and only lines that say a
//! setting, or in which part of HAProxy one stands, leave the node.

use crate::{
    model::text::Clean,
    model::tuning::{ConfigLine, HaproxyConfig, SECTIONS},
    wire::file_edit::KEPT,
};

/// Lines that are kept of all files.
const LINES_MAX: usize = 4_000;
/// Words, besides those that begin a section, by which a line that matters begins.
const WORDS: [&str; 13] = [
    "mode",
    "maxconn",
    "maxconnrate",
    "maxsessrate",
    "timeout",
    "server",
    "default-server",
    "server-state-file",
    "load-server-state-from-file",
    r"\.if",
    r"\.elif",
    r"\.else",
    r"\.endif",
];

/// `option httpchk METHOD PATH` as a whole. Behind these words headers may stand, secrets among them: of such a line only the
/// beginning leaves the node.
const HTTP_CHECK: &str = "^[[:blank:]]*option[[:blank:]]+httpchk([[:blank:]]+[^[:blank:]#]+){0,2}([[:blank:]]*(#.*)?$|[[:blank:]]+[^[:blank:]#])?";

/// The part of the script, which leaves the files among its own words (`set --`). One process reads the lines of a file.
pub(super) fn script() -> String {
    let words = [&SECTIONS[..], &WORDS].concat().join("|");
    let lines = format!("^[[:blank:]]*({words})([[:blank:]].*)?$|{HTTP_CHECK}");
    format!(
        "; a=; for d in /proc/[0-9]*; do c=; {{ read -r c <$d/comm; }} 2>/dev/null; [ \"$c\" = haproxy ] || continue; \
         a=$(tr '\\0' '\\n' 2>/dev/null <$d/cmdline | {{ k=; while IFS= read -r w; do case $k:$w in f:*) printf '%s\\n' \"$w\"; k=;; \
         all:*) printf '%s\\n' \"$w\";; :-f) k=f;; :--) k=all;; esac; done; }}); [ -z \"$a\" ] || break; done; \
         [ -n \"$a\" ] || a=/etc/haproxy/haproxy.cfg; i=$IFS; IFS=$(printf '\\nx'); IFS=${{IFS%x}}; for w in $a; do \
         if [ -d \"$w\" ]; then w=\"$w/*.cfg\"; fi; for f in $w; do [ -f \"$f\" ] || continue; set -- \"$@\" \"$f\"; \
         printf 'haproxy:%s\\n' \"$f\"; if [ -r \"$f\" ]; then LC_ALL=C grep -anoE '{lines}' \"$f\"; \
         else printf 'closed:%s\\n' \"$f\"; fi; for g in \"$f\"{KEPT}*; do [ ! -r \"$g\" ] || {{ printf 'haproxykept:%s\\n' \"$g\"; \
         LC_ALL=C grep -anoE '{lines}' \"$g\"; }}; done; done; done; IFS=$i"
    )
}

/// What was read of them.
#[derive(Debug, Default)]
pub(super) struct Files {
    config: HaproxyConfig,
    /// The file that is open, and whether an earlier change kept it.
    open: Option<(Clean, bool)>,
    is_any: bool,
    is_closed: bool,
}

impl Files {
    /// A file begins.
    pub(super) fn open(&mut self, path: &str, is_kept: bool) {
        (self.open, self.is_any) = (Some((Clean::line(path), is_kept)), true);
    }

    /// The file cannot be read; whether it is one of these.
    pub(super) fn close(&mut self) -> bool {
        self.is_closed |= self.open.is_some();
        self.open.take().is_some()
    }

    /// Another file begins.
    pub(super) fn leave(&mut self) {
        self.open = None;
    }

    /// One line; whether it is one of these.
    pub(super) fn line(&mut self, number: u32, text: &str, is_exact: bool, with_cr: bool) -> bool {
        let Some((file, is_kept)) = &self.open else { return false };
        let lines = if *is_kept { &mut self.config.kept } else { &mut self.config.lines };
        if lines.len() < LINES_MAX {
            lines.push(ConfigLine { file: file.clone(), line: number, text: Clean::line(text), is_exact, with_cr });
        } else {
            self.is_closed = true;
        }
        true
    }

    /// All of it; nothing where no file was named, or one could not be read as a whole.
    pub(super) fn finish(self) -> Option<Result<HaproxyConfig, ()>> {
        self.is_any.then_some(if self.is_closed { Err(()) } else { Ok(self.config) })
    }
}
