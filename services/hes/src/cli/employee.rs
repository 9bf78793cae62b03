//! `hes employee`: the people imported, and the links between their accounts.

mod proposals;
mod view;

use api::config::v1::{
    Employee, GetEmployeeRequest, LinkEmployeesRequest, ListEmployeesRequest, UnlinkAccountRequest,
};
use clap::{Args, Subcommand};
use tonic::Status;

use super::Context;
use crate::{confirm::Confirm, failure::Failure, remote};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List employees; those of a sync just applied take a moment to arrive
    List(List),
    /// Show one employee and their accounts
    Get {
        /// The employee's id, from `hes employee list`
        id: String,
    },
    /// Make two employees one: the accounts of the second move to the first
    ///
    /// Accounts link by themselves when it is certain that they are one person's; the rest waits in
    /// `hes employee proposals`. A link gives nobody a right to another account's password.
    Link {
        /// The employee that stays
        id: String,
        /// The employee whose accounts move
        other: String,
    },
    /// Give an account an employee of its own, for good
    ///
    /// It is never linked to this employee by itself again.
    Unlink(Unlink),
    /// List links that wait for a person to decide; accept or reject them
    Proposals(proposals::Proposals),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only employees with an account in this domain
    #[arg(long, value_name = "ID")]
    domain: Option<String>,
    /// Only those whose name, logon name or mail begins with this
    #[arg(long, value_name = "TEXT")]
    query: Option<String>,
    /// At most this many; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Unlink {
    /// The employee's id
    id: String,
    /// The account: its object id, or domains/DOMAIN/accounts/OBJECT-ID
    account: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Verb {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Get { id } => {
                let employee = get(context, &id).await?;
                context
                    .output
                    .message(&employee, |screen| view::employee(&employee, screen))
            }
            Self::Link { id, other } => link(context, &id, &other).await,
            Self::Unlink(args) => args.run(context).await,
            Self::Proposals(args) => args.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.remote.employees();
        let domain = self
            .domain
            .as_deref()
            .map(remote::domain)
            .unwrap_or_default();
        let query = self.query.unwrap_or_default();
        let employees = remote::list(self.limit, async |page_size, page_token| {
            let request = ListEmployeesRequest {
                page_size,
                page_token,
                domain: domain.clone(),
                query: query.clone(),
            };
            let page = client.clone().list_employees(request).await?.into_inner();
            let next = page.next_page_token.clone();
            let employees = page.into_employees().map_err(|error| {
                Status::internal(format!("an employee could not be read: {error}"))
            })?;
            Ok((employees, next))
        })
        .await
        .map_err(|status| Failure::call("could not list employees", &status))?;
        context.output.list(&employees.items, |screen| {
            view::employees(&employees.items, screen)
        })?;
        employees.note_more();
        Ok(())
    }
}

impl Unlink {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let tried = format!(
            "could not unlink {} from employee {}",
            self.account, self.id
        );
        let account = if self.account.contains('/') {
            self.account.clone()
        } else {
            let employee = get(context, &self.id).await?;
            remote::account(account_names(&employee), &self.account).ok_or_else(|| {
                Failure::new(&tried)
                    .because("this employee has no account of that object id")
                    .next(format!("see the accounts: hes employee get {}", self.id))
            })?
        };
        self.confirm.ask(&format!(
            "Give {account} an employee of its own? It will never be linked to {} by itself again.",
            self.id
        ))?;
        let request = UnlinkAccountRequest {
            name: remote::employee(&self.id),
            account,
        };
        let employee = context
            .remote
            .employees()
            .unlink_account(request)
            .await
            .map_err(|status| Failure::call(tried, &status))?
            .into_inner();
        context
            .output
            .message(&employee, |screen| view::employee(&employee, screen))
    }
}

async fn get(context: &Context, id: &str) -> Result<Employee, Failure> {
    let request = GetEmployeeRequest {
        name: remote::employee(id),
    };
    let answer = context.remote.employees().get_employee(request).await;
    Ok(answer
        .map_err(|status| Failure::call(format!("could not get employee {id}"), &status))?
        .into_inner())
}

async fn link(context: &Context, id: &str, other: &str) -> Result<(), Failure> {
    let request = LinkEmployeesRequest {
        name: remote::employee(id),
        other: remote::employee(other),
    };
    let employee = context
        .remote
        .employees()
        .link_employees(request)
        .await
        .map_err(|status| {
            Failure::call(
                format!("could not link employees {id} and {other}"),
                &status,
            )
        })?
        .into_inner();
    context
        .output
        .message(&employee, |screen| view::employee(&employee, screen))
}

fn account_names(employee: &Employee) -> impl Iterator<Item = &str> {
    employee
        .accounts
        .iter()
        .filter_map(|account| account.account.as_ref())
        .map(|account| account.name.as_str())
}
