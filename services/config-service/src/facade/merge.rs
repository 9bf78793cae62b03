//! The runs of all domains, newest first, from all connectors. A merged page's token holds, for each connector, the
//! page it was taken from and how much of that page was used.

use std::collections::VecDeque;

use api::connector::v1::{ListSyncRunsRequest, ListSyncRunsResponse, SyncRun};
use serde::{Deserialize, Serialize};
use tonic::Status;

use crate::connectors::{Client, handed_on};
use crate::grpc::status;
use runtime::grpc::Page;

/// Where one connector's list stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The page that was last read; the first one when empty.
    page: String,
    /// How many of it were used.
    used: usize,
    /// There is nothing more.
    done: bool,
}

pub(super) async fn list(
    clients: Vec<Client>,
    request: ListSyncRunsRequest,
) -> Result<ListSyncRunsResponse, Status> {
    let page = Page::asked(
        &["runs", &request.page_size.to_string()],
        request.page_size,
        &request.page_token,
    )
    .map_err(status)?;
    let mut places: Vec<Place> = if page.after.is_empty() {
        vec![Place::default(); clients.len()]
    } else {
        serde_json::from_str(&page.after).map_err(|_| status(runtime::grpc::PageError::Token))?
    };
    if places.len() != clients.len() {
        // A connector came or went since the page before.
        return Err(status(runtime::grpc::PageError::Token));
    }
    let size = i32::try_from(page.size).unwrap_or(i32::MAX);
    let mut lists = Vec::with_capacity(clients.len());
    for (mut client, place) in clients.into_iter().zip(&places) {
        lists.push(if place.done {
            ListSyncRunsResponse::default()
        } else {
            let request = ListSyncRunsRequest {
                parent: "domains/-".to_owned(),
                page_size: size,
                page_token: place.page.clone(),
            };
            client
                .list_sync_runs(request)
                .await
                .map_err(handed_on)?
                .into_inner()
        });
    }
    let sync_runs = merge(&mut places, lists, page.size);
    let next_page_token = if places.iter().all(|place| place.done) {
        String::new()
    } else {
        let places = serde_json::to_string(&places).unwrap_or_default();
        page.token(&places)
    };
    Ok(ListSyncRunsResponse {
        sync_runs,
        next_page_token,
    })
}

struct Source<'a> {
    place: &'a mut Place,
    runs: VecDeque<SyncRun>,
    next: String,
    /// Its page is used up, and the next one not read yet.
    advanced: bool,
}

/// Takes the newest runs of all lists until the page is full, and notes how far each list was used.
fn merge(places: &mut [Place], lists: Vec<ListSyncRunsResponse>, size: usize) -> Vec<SyncRun> {
    let mut sources: Vec<Source<'_>> = places
        .iter_mut()
        .zip(lists)
        .map(|(place, list)| Source {
            runs: list.sync_runs.into_iter().skip(place.used).collect(),
            place,
            next: list.next_page_token,
            advanced: false,
        })
        .collect();
    let mut merged = Vec::new();
    // Behind a page that is used up, the order is known only once the next one is read: the merged page ends there.
    while merged.len() < size && sources.iter().all(|source| !source.advanced) {
        let newest = sources
            .iter_mut()
            .filter_map(|source| Some((made(source.runs.front()?), source)))
            .max_by_key(|(made, _)| *made);
        let Some((_, source)) = newest else {
            break;
        };
        merged.extend(source.runs.pop_front());
        source.place.used += 1;
        if source.runs.is_empty() && !source.next.is_empty() {
            source.advanced = true;
            *source.place = Place {
                page: std::mem::take(&mut source.next),
                ..Place::default()
            };
        }
    }
    for source in sources {
        source.place.done = source.runs.is_empty() && !source.advanced;
    }
    merged
}

fn made(run: &SyncRun) -> (i64, i32) {
    run.create_time
        .map_or((0, 0), |time| (time.seconds, time.nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs made at these times, in pages of two: the page behind `token`.
    fn page(times: &[i64], token: &str) -> ListSyncRunsResponse {
        let from: usize = token.parse().unwrap_or(0);
        let run = |time: &i64| SyncRun {
            create_time: Some(prost_types::Timestamp {
                seconds: *time,
                nanos: 0,
            }),
            ..SyncRun::default()
        };
        let next = from + 2;
        ListSyncRunsResponse {
            sync_runs: times.iter().skip(from).take(2).map(run).collect(),
            next_page_token: if next < times.len() {
                next.to_string()
            } else {
                String::new()
            },
        }
    }

    #[test]
    fn runs_of_all_connectors_come_newest_first_each_once() {
        for [one, two] in [
            [&[9, 7, 6, 3, 1][..], &[8, 5, 4, 2][..]],
            [&[9, 8, 7][..], &[3, 2, 1][..]],
            [&[1][..], &[][..]],
            [&[][..], &[][..]],
        ] {
            let mut places = vec![Place::default(); 2];
            let mut seen = Vec::new();
            for _ in 0..20 {
                let lists = [one, two]
                    .iter()
                    .zip(&places)
                    .map(|(times, place)| match place.done {
                        true => ListSyncRunsResponse::default(),
                        false => page(times, &place.page),
                    })
                    .collect();
                seen.extend(merge(&mut places, lists, 2).iter().map(|run| made(run).0));
                if places.iter().all(|place| place.done) {
                    break;
                }
            }

            let mut expected = [one, two].concat();
            expected.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(seen, expected);
            assert!(places.iter().all(|place| place.done), "the list has an end");
        }
    }
}
