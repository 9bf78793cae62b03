//! Pages: how many, and from where on. A token is opaque, and good for the query that gave it only.

use std::convert::Infallible;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::status::{Failure, Reason};

const DEFAULT: i32 = 100;
const MOST: i32 = 1000;
const TAG: usize = 8;

/// Why a page can't be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("`page_size` is negative; give 0 for the default, or up to {MOST}")]
    Size,
    #[error("`page_token` isn't from this list with these filters; start again without it")]
    Token,
}

/// A page asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub size: usize,
    /// The last key of the page before; empty for the first page.
    pub after: String,
    tag: [u8; TAG],
}

impl Page {
    /// `query` is the list and everything that filters it, so that a token of another query is told apart.
    pub fn asked(query: &[&str], size: i32, token: &str) -> Result<Self, PageError> {
        let size = match size {
            0 => DEFAULT,
            size => size.min(MOST),
        };
        let size = usize::try_from(size).map_err(|_| PageError::Size)?;
        let tag = tag(query);
        let after = if token.is_empty() {
            String::new()
        } else {
            read(token, tag).ok_or(PageError::Token)?
        };
        Ok(Self { size, after, tag })
    }

    /// One more than the page holds: whether there is a next page is known by it.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size)
            .unwrap_or(i64::MAX)
            .saturating_add(1)
    }

    /// Cuts what was read to the page, and gives the token of the next one.
    pub fn cut<T>(&self, rows: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, String) {
        let Ok(cut) = self.try_cut(rows, |row| Ok::<_, Infallible>(key(row)));
        cut
    }

    /// The same, where a key has to be read.
    pub fn try_cut<T, E>(
        &self,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> Result<String, E>,
    ) -> Result<(Vec<T>, String), E> {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let token = match rows.last() {
            Some(last) if more => self.token(&key(last)?),
            Some(_) | None => String::new(),
        };
        Ok((rows, token))
    }

    pub fn token(&self, key: &str) -> String {
        let mut bytes = self.tag.to_vec();
        bytes.extend_from_slice(key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn read(token: &str, tag: [u8; TAG]) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (given, key) = bytes.split_first_chunk::<TAG>()?;
    (*given == tag).then(|| String::from_utf8(key.to_vec()).ok())?
}

fn tag(query: &[&str]) -> [u8; TAG] {
    let mut hasher = Sha256::new();
    for part in query {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let hash: [u8; 32] = hasher.finalize().into();
    let mut tag = [0; TAG];
    for (to, from) in tag.iter_mut().zip(hash) {
        *to = from;
    }
    tag
}

impl From<PageError> for Failure {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Size => Self::invalid("page_size", error.to_string()),
            PageError::Token => Self::new(Reason::InvalidPageToken, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_continues_its_own_query_and_no_other() {
        let page = Page::asked(&["domains", "true"], 2, "").unwrap();
        let (rows, token) = page.cut(vec!["a", "b", "c"], ToString::to_string);
        assert_eq!(rows, ["a", "b"]);

        let next = Page::asked(&["domains", "true"], 2, &token).unwrap();
        assert_eq!(next.after, "b");

        for (query, token) in [
            (["domains", "false"], token.as_str()),
            (["employees", "true"], token.as_str()),
            (["domains", "true"], "b"),
            (["domains", "true"], "!"),
        ] {
            assert_eq!(
                Page::asked(&query, 2, token),
                Err(PageError::Token),
                "{query:?} {token}"
            );
        }
        // Parts are told apart by more than their text.
        assert_ne!(tag(&["ab", "c"]), tag(&["a", "bc"]));
    }

    #[test]
    fn the_last_page_has_no_token_and_sizes_are_bounded() {
        let page = Page::asked(&["x"], 2, "").unwrap();
        assert_eq!(page.cut(vec!["a", "b"], ToString::to_string).1, "");
        assert_eq!(page.cut(Vec::<&str>::new(), ToString::to_string).1, "");
        assert_eq!(Page::asked(&["x"], 0, "").unwrap().size, 100);
        assert_eq!(Page::asked(&["x"], 5000, "").unwrap().size, 1000);
        assert_eq!(Page::asked(&["x"], -1, ""), Err(PageError::Size));
    }
}
