//! Page tokens: where a page ended, and of which list.

use std::fmt::Display;
use std::str::FromStr;

use runtime::grpc::{Failure, Reason};
use tonic::Status;

/// A token names its list, so that another list's is refused.
pub(super) struct Page;

impl Page {
    pub(super) fn read<T: FromStr>(list: &str, token: &str) -> Result<Option<T>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let place = token
            .rsplit_once('@')
            .filter(|(_, of)| *of == list)
            .and_then(|(place, _)| place.parse().ok());
        match place {
            Some(place) => Ok(Some(place)),
            None => Err(Failure::new(
                Reason::InvalidPageToken,
                "the page token is not one of this list: begin with the first page",
            )
            .field("page_token", "is not one of this list")
            .into()),
        }
    }

    pub(super) fn write(list: &str, last: Option<impl Display>, more: bool) -> String {
        match last {
            Some(last) if more => format!("{last}@{list}"),
            Some(_) | None => String::new(),
        }
    }
}

/// How many to list.
pub(super) fn size(asked: i32) -> Result<u32, Status> {
    match u32::try_from(asked) {
        Ok(0) => Ok(100),
        Ok(size) => Ok(size.min(1000)),
        Err(_) => Err(Failure::invalid("page_size", "must not be negative").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_list_only() {
        let token = Page::write("domains/corp", Some(17), true);

        assert_eq!(Page::read("domains/corp", &token).unwrap(), Some(17));
        assert_eq!(Page::read::<i64>("domains/corp", "").unwrap(), None);
        assert_eq!(Page::write("domains/corp", Some(17), false), "");
        for (list, token) in [
            ("domains/other", token.as_str()),
            ("domains/corp", "17"),
            ("domains/corp", "x@domains/corp"),
        ] {
            let status = Page::read::<i64>(list, token).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
        }
    }
}
