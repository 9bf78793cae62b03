//! What a client is told when it can't get through.

use runtime::grpc::{Reason, channel};
use tonic::Code;

use crate::{
    toy::call,
    world::{Certificates, World},
};

#[tokio::test]
async fn an_untrusted_certificate_and_a_wrong_name_are_refused_and_said() {
    let world = World::start().await;
    let theirs = Certificates::make();
    let (ours, plain) = (world.options(), channel::Options::default());
    let foreign = channel::Options {
        ca_file: Some(theirs.ca.clone()),
        ..world.options()
    };
    let wrong_name = format!("https://127.0.0.1:{}", world.address.port());
    for (url, options, cause) in [
        (
            world.url(),
            foreign,
            "signed by no authority that is trusted here",
        ),
        (
            world.url(),
            plain,
            "signed by no authority that is trusted here",
        ),
        (wrong_name, ours, "certificate is for another name"),
    ] {
        let channel = channel::connect(&url, &options).unwrap();

        let status = call(&channel, "Echo").await.unwrap_err();

        assert_eq!(
            (status.code(), Reason::of(&status)),
            (Code::Unavailable, Some(Reason::Unreachable))
        );
        let message = status.message();
        assert!(
            message.starts_with(&format!("failed to reach {url}: ")),
            "{message}"
        );
        assert!(message.contains(cause), "{message}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_and_found_when_it_comes() {
    let (pipe, pipes) = runtime::grpc::in_process();
    drop(pipes);
    let channel = channel::in_process(&pipe, runtime::Caller::Anonymous);
    let status = call(&channel, "Echo").await.unwrap_err();
    assert_eq!(Reason::of(&status), Some(Reason::Unreachable));
    assert_eq!(
        status.message(),
        "failed to reach the service in this process: the server in this process has ended"
    );
}

#[test]
fn an_address_that_is_none_and_a_token_in_the_clear_are_refused() {
    let with_token = channel::Options {
        token: Some("vera".to_owned().into()),
        ..channel::Options::default()
    };
    for (url, refused) in [
        ("localhost:7443", "is not an address"),
        ("ftp://localhost", "is not an address"),
        ("http://hes.example.org", "over https only"),
    ] {
        let error = channel::connect(url, &with_token).unwrap_err().to_string();
        assert!(error.contains(refused), "{url}: {error}");
    }
}
