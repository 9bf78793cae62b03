//! Rotation comes later: its contract is served, and says so.

use api::connector::v1 as proto;
use api::connector::v1::password_service_server::PasswordService;
use runtime::grpc::{Failure, Reason};
use tonic::{Request, Response, Status};

/// Refuses every call.
pub(crate) struct Passwords;

fn later() -> Status {
    let message = "this version changes no passwords: only sync is at work";
    Failure::new(Reason::NotImplemented, message).into()
}

#[tonic::async_trait]
impl PasswordService for Passwords {
    async fn read(
        &self,
        _: Request<proto::ReadRequest>,
    ) -> Result<Response<proto::ReadResponse>, Status> {
        Err(later())
    }

    async fn set(
        &self,
        _: Request<proto::SetRequest>,
    ) -> Result<Response<proto::SetResponse>, Status> {
        Err(later())
    }

    async fn verify(
        &self,
        _: Request<proto::VerifyRequest>,
    ) -> Result<Response<proto::VerifyResponse>, Status> {
        Err(later())
    }
}
