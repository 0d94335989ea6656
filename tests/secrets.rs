//! The command takes a secret from where it is kept, and says what is wrong without saying the secret.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod harness;

use buildhub_testkit::moto::Moto;
use harness::{Ran, World, run};
use serde_json::Value;

const PASSWORD: &str = "hush-hush";

/// Makes the store ready, with this ARN in the place of AUTH.
async fn init(world: &World, moto: &Moto, arn: &str) -> Ran {
    let mut command = world.command(&["init-kinto", "--auth-arn", arn]);
    command.envs(moto.variables());
    let ran = run(command, "").await;
    assert!(!format!("{ran:?}").contains(PASSWORD), "{ran:?}");
    ran
}

/// What Kinto answers to that user.
async fn ask(world: &World, path: &str) -> Value {
    let request = reqwest::Client::new().get(format!("{}{path}", world.kinto.url()));
    let answer = request.basic_auth("keeper", Some(PASSWORD)).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_store_belongs_to_the_user_whom_the_secret_names() {
    let (world, moto) = (World::of_files(&[]).await, Moto::start().await.unwrap());
    let arn = moto.create_secret("buildhub", &format!("keeper:{PASSWORD}")).await.unwrap();
    let ran = init(&world, &moto, &arn).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let user = ask(&world, "/").await["user"]["id"].clone();
    let bucket = ask(&world, "/buckets/build-hub").await;
    assert!(bucket["permissions"]["write"].as_array().is_some_and(|all| all.contains(&user)), "{user} {bucket}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_named_by_its_variable_and_its_arn() {
    let (world, moto) = (World::of_files(&[]).await, Moto::start().await.unwrap());
    let arn = "arn:aws:ssm:us-east-1:123456789012:parameter/nobody";
    let ran = init(&world, &moto, arn).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("cannot read AUTH_ARN from {arn}")), "{}", ran.stderr);
    // A secret where its ARN should be.
    let ran = init(&world, &moto, &format!("keeper:{PASSWORD}")).await;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("AUTH_ARN is not the ARN of a secret"), "{}", ran.stderr);
}
