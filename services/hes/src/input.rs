//! What a command reads: secrets and documents from files, or from standard input by `-`. Never from an argument (K2).

use std::{
    convert::Infallible,
    ffi::OsString,
    fmt, fs,
    io::{self, IsTerminal, Read},
    path::PathBuf,
    str::FromStr,
};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// No file a command reads is larger; `/dev/zero` is.
const LARGEST: u64 = 1 << 20;

/// A file, or standard input, written `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
}

/// Reads the files of one command. Standard input can be read once.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// The flag that took standard input.
    stdin: Option<&'static str>,
}

impl Inputs {
    /// A secret without the line end that editors and `echo` leave behind.
    pub(crate) fn secret(
        &mut self,
        flag: &'static str,
        source: &Source,
    ) -> Result<SecretString, Failure> {
        let typed = *source == Source::Stdin && io::stdin().is_terminal();
        let text = if typed {
            self.take_stdin(flag)?;
            typed_secret(flag)?
        } else {
            self.read(flag, source)?
        };
        without_line_end(&text).map_err(|why| {
            Failure::usage(format!("{flag}: the secret from {source} can't be used")).because(why)
        })
    }

    /// A document, such as certificates or settings.
    pub(crate) fn text(&mut self, flag: &'static str, source: &Source) -> Result<String, Failure> {
        Ok(self.read(flag, source)?.to_string())
    }

    fn read(&mut self, flag: &'static str, source: &Source) -> Result<Zeroizing<String>, Failure> {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = match source {
            Source::Stdin => {
                self.take_stdin(flag)?;
                io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
            }
            Source::File(path) => {
                fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            }
        };
        let failed = || Failure::new(format!("{flag}: could not read {source}"));
        read.map_err(|error| failed().caused_by(&error))?;
        if bytes.len() as u64 > LARGEST {
            return Err(failed().because("it is larger than 1 MiB"));
        }
        let text = str::from_utf8(&bytes).map_err(|_| {
            failed()
                .because("it is not UTF-8 text")
                .next("save it as UTF-8 (older PowerShell's `>` writes UTF-16)")
        })?;
        // Windows' editors begin UTF-8 files with a mark that nobody typed.
        Ok(Zeroizing::new(
            text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        ))
    }

    fn take_stdin(&mut self, flag: &'static str) -> Result<(), Failure> {
        match self.stdin.replace(flag) {
            None => Ok(()),
            Some(other) => Err(Failure::usage(format!(
                "{other} and {flag} both read standard input (`-`)"
            ))
            .next("give one of them as a file")),
        }
    }
}

/// Asks on the terminal, without showing what is typed.
fn typed_secret(flag: &str) -> Result<Zeroizing<String>, Failure> {
    let name = flag
        .trim_start_matches("--")
        .trim_end_matches("-file")
        .replace('-', " ");
    let term = console::Term::stderr();
    term.write_str(&format!("{name}: "))
        .and_then(|()| term.read_secure_line())
        .map(Zeroizing::new)
        .map_err(|error| {
            Failure::new(format!("{flag}: could not read from the terminal")).caused_by(&error)
        })
}

fn without_line_end(text: &str) -> Result<SecretString, &'static str> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let secret = SecretString::from(line);
    match secret.expose_secret() {
        "" => Err("it is empty"),
        line if line.contains(['\n', '\r', '\0']) => Err("it holds more than one line"),
        _ => Ok(secret),
    }
}

impl From<OsString> for Source {
    fn from(argument: OsString) -> Self {
        if argument == "-" {
            Self::Stdin
        } else {
            Self::File(argument.into())
        }
    }
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(argument: &str) -> Result<Self, Infallible> {
        Ok(OsString::from(argument).into())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, content).unwrap();
        (dir, Source::File(path))
    }

    #[test]
    fn a_secret_loses_one_line_end_and_nothing_else() {
        for (content, expected) in [
            (&b"p4ss word \n"[..], "p4ss word "),
            (b"p4ss\r\n", "p4ss"),
            (b"p4ss", "p4ss"),
            (b"\xef\xbb\xbfp4ss", "p4ss"),
        ] {
            let (_dir, source) = file(content);
            let secret = Inputs::default()
                .secret("--password-file", &source)
                .unwrap();
            assert_eq!(secret.expose_secret(), expected);
        }
    }

    #[test]
    fn an_empty_secret_is_refused_and_says_which_flag_and_file() {
        for content in [&b""[..], b"\n", b"\r\n", b"one\ntwo\n", b"\xff\xfe"] {
            let (_dir, source) = file(content);
            let failure = Inputs::default()
                .secret("--password-file", &source)
                .unwrap_err();
            let text = format!("{failure:?}");
            assert!(
                text.contains("--password-file") && text.contains("secret"),
                "{text}"
            );
            assert!(!text.contains("two"), "shows the secret: {text}");
        }
    }

    #[test]
    fn standard_input_is_read_for_one_flag_only() {
        let mut inputs = Inputs::default();
        inputs.take_stdin("--logon-name-file").unwrap();
        let failure = inputs
            .secret("--password-file", &Source::Stdin)
            .unwrap_err();
        assert_eq!(failure.exit, crate::failure::Exit::Usage);
    }
}
