//! Getting and listing domains.

use api::config::v1::{Domain, ListDomainsRequest, ListDomainsResponse};
use api::name::DomainName;
use directory::DomainId;

use super::{DomainError, Domains, domain_message};
use crate::store::{self, DomainRow};
use runtime::grpc::Page;

/// The id in a domain's resource name.
pub(crate) fn domain_id(field: &str, name: &str) -> Result<DomainId, DomainError> {
    name.parse::<DomainName>()
        .map(|DomainName(id)| id)
        .map_err(|error| DomainError::invalid(field, error.to_string()))
}

impl Domains {
    pub(crate) async fn row(&self, id: &DomainId) -> Result<DomainRow, DomainError> {
        let mut reader = self.db.read().await?;
        store::domain(&mut reader, id)
            .await?
            .ok_or_else(|| DomainError::NotFound(id.clone()))
    }

    pub(crate) async fn get(&self, id: &DomainId) -> Result<Domain, DomainError> {
        Ok(domain_message(&self.row(id).await?))
    }

    pub(crate) async fn list(
        &self,
        request: &ListDomainsRequest,
    ) -> Result<ListDomainsResponse, DomainError> {
        let query = ["domains", if request.show_deleted { "deleted" } else { "" }];
        let page = Page::asked(&query, request.page_size, &request.page_token)?;
        let mut reader = self.db.read().await?;
        let rows =
            store::domains_page(&mut reader, &page.after, request.show_deleted, page.limit())
                .await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.id.to_string());
        Ok(ListDomainsResponse {
            domains: rows.iter().map(domain_message).collect(),
            next_page_token,
        })
    }
}
