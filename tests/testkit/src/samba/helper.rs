//! The process that edits a directory: one Python start for all edits of a test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

const SCRIPT: &str = include_str!("helper.py");
/// Debian's own interpreter: `python3` on the path may be one without Samba's modules.
const PYTHON: &str = "/usr/bin/python3";

/// A handle to the editing process. It ends when its input closes: with the last handle, or with this process.
#[derive(Clone, Debug)]
pub(crate) struct Helper(Arc<Mutex<Pipes>>);

#[derive(Debug)]
struct Pipes {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    pub(crate) fn start(smb_conf: &Path) -> Result<Self> {
        let mut child = Command::new(PYTHON)
            .args(["-c", SCRIPT])
            .arg(smb_conf)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to start {PYTHON}, which edits the directory"))?;
        let requests = child.stdin.take();
        let answers = child
            .stdout
            .take()
            .context("the editing process has no output")?;
        Ok(Self(Arc::new(Mutex::new(Pipes {
            child,
            requests,
            answers: BufReader::new(answers),
        }))))
    }

    /// Calls the function `what` of the script with named arguments.
    pub(crate) async fn call(&self, what: &'static str, arguments: Value) -> Result<Value> {
        let pipes = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let mut pipes = pipes
                .lock()
                .map_err(|_| anyhow!("the editing process failed before"))?;
            pipes.call(what, arguments)
        })
        .await
        .context("the editing task ended early")?
    }
}

impl Pipes {
    fn call(&mut self, what: &str, mut arguments: Value) -> Result<Value> {
        if let Value::Object(fields) = &mut arguments {
            fields.insert("do".to_owned(), json!(what));
        }
        let requests = self
            .requests
            .as_mut()
            .context("the editing process has no input")?;
        writeln!(requests, "{arguments}").context("the editing process has ended")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let mut answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("the editing process ended during {what}"))?;
        match answer.get_mut("ok") {
            Some(value) => Ok(value.take()),
            None => bail!("{what}: {}", answer.get("error").unwrap_or(&Value::Null)),
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.requests = None;
        // What a test no longer waits for isn't worth waiting for here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
