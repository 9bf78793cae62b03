//! Reading employees, and doing what people ask of their links.

use api::Stored;
use api::config::v1::{
    Employee, LinkProposal, ListEmployeesRequest, ListEmployeesResponse, ListLinkProposalsRequest,
    ListLinkProposalsResponse,
};
use api::name::{AccountName, DomainName, EmployeeName, LinkProposalName};
use runtime::Ids;
use storage::Database;
use sync::employee::EmployeeId;
use tokio::sync::broadcast;

use super::propose::message;
use super::{Book, LinkError, Told, Watchers};
use crate::domains::By;
use crate::store::{self, EmployeeFilter, SentEmployee, StoreError};
use runtime::grpc::{Page, PageError};

/// Why employees can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("{field}: {problem}")]
    Invalid {
        field: &'static str,
        problem: String,
    },
    #[error(
        "there is no employee `{0}`; it may have been linked to another one or deleted: list the employees"
    )]
    NotFound(EmployeeId),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error("failed to read employees")]
    Store(#[from] StoreError),
}

impl From<storage::Error> for ReadError {
    fn from(error: storage::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The employees of the installation.
#[derive(Clone)]
pub(crate) struct Employees {
    pub(crate) db: Database,
    pub(crate) ids: Ids,
    pub(crate) watchers: Watchers,
    /// Rings the relay after a commit.
    pub(crate) relay: events::Waker,
}

/// How many employees a snapshot reads at once.
const BATCH: i64 = 500;

fn parsed<N: std::str::FromStr<Err = api::name::NameError>>(
    field: &'static str,
    name: &str,
) -> Result<N, ReadError> {
    name.parse()
        .map_err(|error: api::name::NameError| ReadError::Invalid {
            field,
            problem: error.to_string(),
        })
}

pub(crate) fn employee_id(field: &'static str, name: &str) -> Result<EmployeeId, ReadError> {
    parsed::<EmployeeName>(field, name).map(|EmployeeName(id)| EmployeeId(id))
}

pub(crate) fn account_key(
    field: &'static str,
    name: &str,
) -> Result<directory::AccountKey, ReadError> {
    parsed::<AccountName>(field, name).map(|AccountName(key)| key)
}

pub(crate) fn proposal_id(field: &'static str, name: &str) -> Result<uuid::Uuid, ReadError> {
    parsed::<LinkProposalName>(field, name).map(|LinkProposalName(id)| id)
}

impl Employees {
    pub(crate) async fn get(&self, id: EmployeeId) -> Result<Employee, ReadError> {
        let mut reader = self.db.single().await?;
        let row = store::employee(&mut reader, id).await?;
        row.map(|row| row.state).ok_or(ReadError::NotFound(id))
    }

    pub(crate) async fn list(
        &self,
        request: &ListEmployeesRequest,
    ) -> Result<ListEmployeesResponse, ReadError> {
        let domain = match request.domain.as_str() {
            "" => String::new(),
            name => parsed::<DomainName>("domain", name)?.0.to_string(),
        };
        let filter = EmployeeFilter {
            domain,
            prefix: request.query.trim().to_lowercase(),
        };
        let query = ["employees", &filter.domain, &filter.prefix];
        let page = Page::asked(&query, request.page_size, &request.page_token)?;
        let mut reader = self.db.single().await?;
        let rows = store::employees_page(&mut reader, &filter, &page.after, page.limit()).await?;
        let (rows, next_page_token) = page.try_cut(rows, SentEmployee::id)?;
        let as_stored = rows.iter().map(|row| row.bytes().map(Stored::Encoded));
        Ok(ListEmployeesResponse {
            employees: as_stored.collect::<Result<_, _>>()?,
            next_page_token,
        })
    }

    /// The next part of a snapshot, behind the last one's last employee. Parts are read one by one: a slow reader holds
    /// up no writer, and what changes meanwhile has a newer generation and an event of its own.
    pub(crate) async fn part(&self, after: &str) -> Result<Vec<(String, Employee)>, ReadError> {
        let mut reader = self.db.single().await?;
        let rows =
            store::employees_page(&mut reader, &EmployeeFilter::default(), after, BATCH).await?;
        let decoded = rows.into_iter().map(|row| {
            let state = row.state()?;
            Ok((row.id()?, state))
        });
        decoded.collect()
    }

    pub(crate) fn watch(&self) -> broadcast::Receiver<Told> {
        self.watchers.subscribe()
    }

    pub(crate) async fn proposals(
        &self,
        request: &ListLinkProposalsRequest,
    ) -> Result<ListLinkProposalsResponse, ReadError> {
        let query = [
            "proposals",
            if request.show_decided { "decided" } else { "" },
        ];
        let page = Page::asked(&query, request.page_size, &request.page_token)?;
        let mut reader = self.db.single().await?;
        let rows =
            store::proposals_page(&mut reader, &page.after, request.show_decided, page.limit())
                .await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.id.to_string());
        Ok(ListLinkProposalsResponse {
            link_proposals: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    /// Begins a transaction of changes on somebody's behalf.
    pub(crate) async fn open(&self, by: &By) -> store::Result<Book<'_>> {
        let tx = self.db.begin().await?;
        Book::open(tx, &self.ids, by.now, by.actor.as_str()).await
    }

    /// Commits it, and wakes the relay.
    pub(crate) async fn close(&self, book: Book<'_>) -> store::Result<()> {
        book.close().await?;
        self.relay.wake();
        Ok(())
    }

    pub(crate) async fn link(
        &self,
        by: &By,
        kept: EmployeeId,
        gone: EmployeeId,
    ) -> Result<(), LinkError> {
        let mut book = self.open(by).await?;
        book.link(kept, gone).await?;
        Ok(self.close(book).await?)
    }

    pub(crate) async fn unlink(
        &self,
        by: &By,
        from: EmployeeId,
        account: &directory::AccountKey,
    ) -> Result<EmployeeId, LinkError> {
        let mut book = self.open(by).await?;
        let employee = book.unlink(from, account).await?;
        self.close(book).await?;
        Ok(employee)
    }

    pub(crate) async fn decide(
        &self,
        by: &By,
        id: uuid::Uuid,
        accept: bool,
    ) -> Result<LinkProposal, LinkError> {
        let mut book = self.open(by).await?;
        let row = book.decide(id, accept).await?;
        self.close(book).await?;
        Ok(message(&row))
    }
}
