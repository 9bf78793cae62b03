use api::name::{DomainName, EmployeeName, TargetName};
use api::rotation::v1 as proto;
use api::rotation::v1::delivery_service_server::DeliveryService;
use runtime::auth::BootstrapToken;
use runtime::grpc::{Failure, Page, Reason};
use runtime::{Caller, OnEnd, Tasks};
use sealing::{PresenceKey, TargetKey};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::rotation::employee_id;
use super::{actor, status, unavailable};
use crate::announce::{self, Record};
use crate::delivery::Session;
use crate::ledger::Ledger;
use crate::message;
use crate::store::{self, ClientRow, TargetRow};
use crate::tokens::{ClientTokens, client_of};

/// What is said to a target before it has read it.
const AHEAD: usize = 16;
const OFFERS_PER_HOUR: i32 = 100;

pub(crate) struct DeliveryHandler {
    pub(crate) ledger: Ledger,
    pub(crate) tokens: ClientTokens,
    pub(crate) tasks: Tasks,
}

#[tonic::async_trait]
impl DeliveryService for DeliveryHandler {
    async fn enroll_target(
        &self,
        request: Request<proto::EnrollTargetRequest>,
    ) -> Result<Response<proto::Target>, Status> {
        let actor = actor(&request);
        let request = request.into_inner();
        let employee = employee_id("employee", &request.employee)?;
        let display_name = request.display_name.trim();
        if display_name.chars().count() > 100 || display_name.chars().any(char::is_control) {
            let problem = "must be at most 100 printable characters";
            return Err(Failure::invalid("display_name", problem).into());
        }
        let sealing_key = TargetKey::from_bytes(&request.sealing_key)
            .map_err(|error| Failure::invalid("sealing_key", error.to_string()))?;
        let signing_key = PresenceKey::from_bytes(&request.signing_key)
            .map_err(|error| Failure::invalid("signing_key", error.to_string()))?;
        let now = self.ledger.now();
        let row = TargetRow {
            id: self.ledger.ids.uuid_at(now),
            employee,
            display_name: display_name.to_owned(),
            sealing_key,
            signing_key,
            created: now,
            created_by: actor.clone(),
            revoked: None,
            seen: None,
            is_present: false,
        };
        // A key that nothing can be sealed to is refused now, not when a password is due.
        let purpose = sealing::Purpose {
            account: "",
            generation: 0,
            candidate: 0,
            target: "",
        };
        row.sealing_key
            .seal(&purpose, &[])
            .map_err(|error| Failure::invalid("sealing_key", error.to_string()))?;
        self.enrol(&actor, &row).await?;
        Ok(Response::new(message::target(&row)))
    }

    async fn revoke_target(
        &self,
        request: Request<proto::RevokeTargetRequest>,
    ) -> Result<Response<proto::Target>, Status> {
        let actor = actor(&request);
        let TargetName(id) = request
            .get_ref()
            .name
            .parse()
            .map_err(|error| Failure::invalid("name", format!("{error}")))?;
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
        let mut row = found(&mut tx, id).await?;
        if row.revoked.is_none() {
            store::put_revoked(&mut tx, id, now).await.map_err(status)?;
            row.revoked = Some(now);
            let ids = &self.ledger.ids;
            announce::target(&mut tx, ids, now, &row, "revoked")
                .await
                .map_err(status)?;
            let record = Record::new(&actor, "target.revoke", TargetName(id))
                .detail("employee", EmployeeName(row.employee));
            announce::audit(&mut tx, ids, now, record)
                .await
                .map_err(status)?;
            tx.commit().await.map_err(unavailable)?;
            self.ledger.bells.ring_employee(row.employee);
            self.ledger.relay.wake();
        }
        Ok(Response::new(message::target(&row)))
    }

    async fn list_targets(
        &self,
        request: Request<proto::ListTargetsRequest>,
    ) -> Result<Response<proto::ListTargetsResponse>, Status> {
        let request = request.into_inner();
        let employee = match request.employee.as_str() {
            "" => String::new(),
            name => employee_id("employee", name)?.to_string(),
        };
        let shown = if request.show_revoked { "all" } else { "" };
        let query = ["targets", &employee, shown];
        let page = Page::asked(&query, request.page_size, &request.page_token).map_err(status)?;
        let mut reader = self.ledger.db.single().await.map_err(unavailable)?;
        let rows = store::targets_page(
            &mut reader,
            &employee,
            request.show_revoked,
            &page.after,
            page.limit(),
        )
        .await
        .map_err(status)?;
        let (rows, next_page_token) = page.cut(rows, |row| row.id.to_string());
        Ok(Response::new(proto::ListTargetsResponse {
            targets: rows.iter().map(message::target).collect(),
            next_page_token,
        }))
    }

    async fn create_delivery_client(
        &self,
        request: Request<proto::CreateDeliveryClientRequest>,
    ) -> Result<Response<proto::CreateDeliveryClientResponse>, Status> {
        let actor = actor(&request);
        let request = request.into_inner();
        // The same form as a domain's id.
        let id: directory::DomainId = request
            .client_id
            .parse()
            .map_err(|error| Failure::invalid("client_id", format!("{error}")))?;
        if request.domains.is_empty() {
            let problem =
                "at least one is required: a client receives passwords of its domains only";
            return Err(Failure::invalid("domains", problem).into());
        }
        let mut domains = Vec::new();
        for name in &request.domains {
            let DomainName(domain) = name
                .parse()
                .map_err(|error| Failure::invalid("domains", format!("{error}")))?;
            domains.push(DomainName(domain).to_string());
        }
        domains.sort();
        domains.dedup();
        let offers_per_hour = match request.offers_per_hour {
            0 => OFFERS_PER_HOUR,
            offers => offers,
        };
        let offers_per_hour = u32::try_from(offers_per_hour)
            .ok()
            .filter(|offers| *offers <= 100_000)
            .ok_or_else(|| Failure::invalid("offers_per_hour", "must be 1 to 100,000"))?;
        let token = BootstrapToken::generate(&self.ledger.ids);
        let now = self.ledger.now();
        let row = ClientRow {
            id: id.to_string(),
            token_hash: token.hash().to_bytes().to_vec(),
            domains,
            offers_per_hour,
            created: now,
            created_by: actor.clone(),
            revoked: None,
        };
        let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
        if !store::insert_client(&mut tx, &row).await.map_err(status)? {
            let problem = format!("there is a delivery client `{id}` already; give another id");
            return Err(Failure::new(Reason::AlreadyExists, problem).into());
        }
        let record = Record::new(&actor, "delivery_client.create", message::client(&row).name)
            .detail("domains", row.domains.join(" "));
        announce::audit(&mut tx, &self.ledger.ids, now, record)
            .await
            .map_err(status)?;
        tx.commit().await.map_err(unavailable)?;
        self.ledger.relay.wake();
        self.tokens.refresh(&self.ledger.db).await.map_err(status)?;
        Ok(Response::new(proto::CreateDeliveryClientResponse {
            client: Some(message::client(&row)),
            token: token.secret().expose_secret().to_owned(),
        }))
    }

    async fn revoke_delivery_client(
        &self,
        request: Request<proto::RevokeDeliveryClientRequest>,
    ) -> Result<Response<proto::DeliveryClient>, Status> {
        let actor = actor(&request);
        let name = &request.get_ref().name;
        let id = name
            .strip_prefix("deliveryClients/")
            .ok_or_else(|| Failure::invalid("name", "must be deliveryClients/{id}"))?;
        let now = self.ledger.now();
        let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
        store::revoke_client(&mut tx, id, now)
            .await
            .map_err(status)?;
        let row = store::client(&mut tx, id).await.map_err(status)?;
        let row = row.ok_or_else(|| {
            Failure::new(
                Reason::NotFound,
                format!("there is no delivery client `{id}`"),
            )
        })?;
        let record = Record::new(&actor, "delivery_client.revoke", name);
        announce::audit(&mut tx, &self.ledger.ids, now, record)
            .await
            .map_err(status)?;
        tx.commit().await.map_err(unavailable)?;
        self.ledger.relay.wake();
        self.tokens.refresh(&self.ledger.db).await.map_err(status)?;
        Ok(Response::new(message::client(&row)))
    }

    async fn list_delivery_clients(
        &self,
        _: Request<proto::ListDeliveryClientsRequest>,
    ) -> Result<Response<proto::ListDeliveryClientsResponse>, Status> {
        let mut reader = self.ledger.db.single().await.map_err(unavailable)?;
        let rows = store::clients(&mut reader).await.map_err(status)?;
        Ok(Response::new(proto::ListDeliveryClientsResponse {
            clients: rows.iter().map(message::client).collect(),
        }))
    }

    type DeliverStream = ReceiverStream<Result<proto::DeliverResponse, Status>>;

    async fn deliver(
        &self,
        request: Request<Streaming<proto::DeliverRequest>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        let caller = Caller::of(&request).clone();
        let client = match client_of(&caller) {
            Some(id) => {
                let mut reader = self.ledger.db.single().await.map_err(unavailable)?;
                store::client(&mut reader, id).await.map_err(status)?
            }
            None => None,
        };
        let client = client.filter(|client| client.revoked.is_none());
        let Some(client) = client else {
            let problem = format!(
                "`{caller}` is no delivery client; an administrator adds one: hes delivery client add"
            );
            return Err(Failure::new(Reason::PermissionDenied, problem).into());
        };
        let (answers, receiver) = mpsc::channel(AHEAD);
        let session = Session {
            ledger: self.ledger.clone(),
            client,
            id: self.ledger.ids.uuid(),
            answers,
            requests: request.into_inner(),
        };
        let shutdown = self.tasks.shutdown().clone();
        self.tasks
            .spawn("delivery", OnEnd::Ignore, session.run(shutdown));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl DeliveryHandler {
    async fn enrol(&self, actor: &str, row: &TargetRow) -> Result<(), Status> {
        let now = row.created;
        let mut tx = self.ledger.db.begin().await.map_err(unavailable)?;
        if !store::is_employee(&mut tx, row.employee)
            .await
            .map_err(status)?
        {
            let problem = format!(
                "there is no employee `{}`, or rotation has not heard of them yet; try again in a moment",
                row.employee
            );
            return Err(Failure::new(Reason::NotFound, problem).into());
        }
        if !store::insert_target(&mut tx, row).await.map_err(status)? {
            let problem =
                "a target has one of these keys already, perhaps a revoked one; make new keys";
            return Err(Failure::new(Reason::AlreadyExists, problem).into());
        }
        // What is open is sealed to it too; what was closed is nowhere any more.
        for account in store::accounts_of_employee(&mut tx, row.employee)
            .await
            .map_err(status)?
        {
            let open = store::open_rotation_of(&mut tx, &account.key)
                .await
                .map_err(status)?;
            let Some(open) = open.filter(|open| {
                open.employee == row.employee && open.value.is_some() && open.rotation.keeps_value()
            }) else {
                continue;
            };
            let value = self.ledger.open(&open).await.map_err(status)?;
            let delivery =
                Ledger::delivery(&open, open.rotation.candidate, row, &value).map_err(status)?;
            store::insert_delivery(&mut tx, &delivery)
                .await
                .map_err(status)?;
        }
        let ids = &self.ledger.ids;
        announce::target(&mut tx, ids, now, row, "enrolled")
            .await
            .map_err(status)?;
        let record = Record::new(actor, "target.enroll", TargetName(row.id))
            .detail("employee", EmployeeName(row.employee));
        announce::audit(&mut tx, ids, now, record)
            .await
            .map_err(status)?;
        tx.commit().await.map_err(unavailable)?;
        self.ledger.relay.wake();
        Ok(())
    }
}

async fn found(tx: &mut storage::Transaction, id: Uuid) -> Result<TargetRow, Status> {
    let row = store::target(tx, id).await.map_err(status)?;
    row.ok_or_else(|| Failure::new(Reason::NotFound, format!("there is no target `{id}`")).into())
}
