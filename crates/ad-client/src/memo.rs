//! Answers that are as good a minute later, kept so that they are not asked for with every password.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::access::Token;
use crate::error::Error;
use crate::password::Policy;

/// What a session remembers of its directory.
#[derive(Debug, Default)]
pub(crate) struct Memos {
    /// As whom the directory sees the session.
    pub(crate) token: Memo<Option<Token>>,
    /// By the distinguished name of the password settings object; empty for the domain's own.
    pub(crate) policy: Memo<Policy>,
    /// The DNS host name of the PDC emulator.
    pub(crate) pdc_emulator: Memo<Option<String>>,
}

/// Longer than it takes to change a password, shorter than an administrator waits for a change to be noticed.
const FRESH: Duration = Duration::from_secs(60);

/// What was answered last, under the name it was asked by.
#[derive(Debug)]
pub(crate) struct Memo<T>(Mutex<Option<Kept<T>>>);

#[derive(Debug)]
struct Kept<T> {
    name: String,
    at: Instant,
    answer: T,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Memo<T> {
    /// The answer to `name` that is kept, if it is fresh; else what `ask` gives. Errors are not kept.
    pub(crate) async fn get(
        &self,
        name: &str,
        ask: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.get_if(name, |_| true, ask).await
    }

    /// The same, where not every answer is worth keeping.
    pub(crate) async fn get_if(
        &self,
        name: &str,
        is_worth_keeping: impl Fn(&T) -> bool,
        ask: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if let Some(answer) = self.kept(name) {
            return Ok(answer);
        }
        // From before the question: what changes while it is answered is not believed for longer than a minute either.
        let at = Instant::now();
        let answer = ask.await?;
        if !is_worth_keeping(&answer) {
            return Ok(answer);
        }
        let kept = Kept {
            name: name.to_owned(),
            at,
            answer: answer.clone(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(answer)
    }

    fn kept(&self, name: &str) -> Option<T> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref()
            .filter(|kept| kept.name == name && kept.at.elapsed() < FRESH)
            .map(|kept| kept.answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(memo: &Memo<u8>, name: &str, answer: u8) -> u8 {
        memo.get(name, async { Ok(answer) }).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_a_minute_and_for_its_own_question() {
        let memo = Memo::default();
        assert_eq!(ask(&memo, "policy", 1).await, 1);
        tokio::time::advance(FRESH.checked_sub(Duration::from_secs(1)).unwrap()).await;
        assert_eq!(ask(&memo, "policy", 2).await, 1);
        assert_eq!(ask(&memo, "another", 3).await, 3);
        tokio::time::advance(FRESH).await;
        assert_eq!(ask(&memo, "another", 4).await, 4);
    }

    #[tokio::test]
    async fn a_failure_and_what_is_not_worth_keeping_are_asked_again() {
        let memo = Memo::default();
        let failed = memo
            .get("policy", async {
                Err(Error::NoSuchObject { dn: String::new() })
            })
            .await;
        assert!(failed.is_err());
        let refused = memo.get_if("policy", |_| false, async { Ok(9) }).await;
        assert_eq!(refused.unwrap(), 9);
        assert_eq!(ask(&memo, "policy", 1).await, 1);
    }
}
