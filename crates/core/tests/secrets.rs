//! Secrets that are named by their ARN are there when settings are read, and their faults say which is meant.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing::post};
use buildhub_core::Variables;
use buildhub_core::aws::secrets::{SecretError, resolve};
use buildhub_testkit::moto::Moto;
use serde_json::json;

fn variables(moto: &Moto) -> Variables {
    moto.variables().into_iter().collect()
}

#[tokio::test]
async fn a_secret_and_a_parameter_stand_in_their_settings_place() {
    let moto = Moto::start().await.unwrap();
    let auth = moto.create_secret("buildhub/auth", "me:hush\n").await.unwrap();
    let dsn = moto.put_parameter("/buildhub/dsn", "https://key@sentry.example/1").await.unwrap();
    let variables = variables(&moto).with("AUTH_ARN", auth).with("SENTRY_DSN_ARN", dsn);
    let resolved = resolve(variables).await.unwrap();
    assert_eq!(resolved.get("AUTH"), Some("me:hush"));
    assert_eq!(resolved.get("SENTRY_DSN"), Some("https://key@sentry.example/1"));
    assert_eq!(resolved.get("AUTH_ARN"), None);
    resolve(resolved).await.unwrap();
}

#[tokio::test]
async fn what_was_read_is_logged_at_no_level() {
    let moto = Moto::start().await.unwrap();
    let auth = moto.create_secret("auth", "me:hush").await.unwrap();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let guard = tracing::subscriber::set_default(subscriber.finish());
    let resolved = resolve(variables(&moto).with("AUTH_ARN", auth)).await.unwrap();
    drop(guard);
    assert_eq!(resolved.get("AUTH"), Some("me:hush"));
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("TRACE"), "{log}");
    assert!(!log.contains("hush") && !log.contains("testkit-secret"), "{log}");
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn without_an_arn_nothing_is_asked_and_nothing_changes() {
    // Nobody listens there, and no credentials are set.
    let variables = Variables::default().with("AWS_ENDPOINT_URL", "http://127.0.0.1:1").with("AUTH", "me:hush");
    assert_eq!(resolve(variables).await.unwrap().get("AUTH"), Some("me:hush"));
}

#[tokio::test]
async fn a_secret_that_is_given_twice_is_refused_by_both_names_and_not_repeated() {
    let variables =
        Variables::default().with("AUTH", "me:hush").with("AUTH_ARN", "arn:aws:ssm:us-east-1:1:parameter/x");
    let error = resolve(variables).await.unwrap_err();
    assert_eq!(error.to_string(), "AUTH and AUTH_ARN are both set: keep one of them");
}

#[tokio::test]
async fn what_is_no_arn_is_not_repeated_for_it_may_be_the_secret() {
    let error =
        resolve(Variables::default().with("SENTRY_DSN_ARN", "https://hush@sentry.example/1")).await.unwrap_err();
    assert!(matches!(error, SecretError::NotAnArn { variable: "SENTRY_DSN_ARN" }));
    let text = format!("{error} {error:?}");
    assert!(text.starts_with("SENTRY_DSN_ARN is not the ARN of a secret") && !text.contains("hush"), "{text}");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named_by_variable_and_arn() {
    let moto = Moto::start().await.unwrap();
    for arn in [
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:nobody-AbCdEf",
        "arn:aws:ssm:us-east-1:123456789012:parameter/nobody",
    ] {
        let error = resolve(variables(&moto).with("AUTH_ARN", arn)).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot read AUTH_ARN from {arn}: the server answered 4")), "{error}");
        assert!(error.ends_with("check region, account and name"), "{error}");
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_says_so() {
    let variables = Variables::default()
        .with("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
        .with("AWS_ACCESS_KEY_ID", "key")
        .with("AWS_SECRET_ACCESS_KEY", "hush")
        .with("AUTH_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:auth-AbCdEf");
    let error = resolve(variables).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot read AUTH_ARN from arn:aws:"), "{error}");
    assert!(error.contains("onnect"), "{error}");
    assert!(!error.contains("hush"), "{error}");
}

/// Time passes by itself where nobody has anything to do.
#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_is_given_up_while_there_is_time_to_say_so() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let arn = "arn:aws:ssm:us-east-1:123456789012:parameter/auth";
    let variables = Variables::default()
        .with("AWS_ENDPOINT_URL_SSM", format!("http://{}", silent.local_addr().unwrap()))
        .with("AWS_ACCESS_KEY_ID", "key")
        .with("AWS_SECRET_ACCESS_KEY", "hush")
        .with("AUTH_ARN", arn);
    let error = resolve(variables).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot read AUTH_ARN from {arn}: no answer within 8 seconds")), "{error}");
}

/// moto lets everybody do everything: this server lets nobody, and says for which region and service it was signed.
#[tokio::test]
async fn a_role_that_may_not_read_a_secret_is_told_what_to_allow_by_the_region_of_the_arn() {
    let answer = async |headers: HeaderMap| {
        let signature = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let scope = signature.split(['/', ',']).skip(2).take(3).collect::<Vec<_>>().join("/");
        (StatusCode::BAD_REQUEST, Json(json!({ "__type": "AccessDeniedException", "Message": scope })))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await.unwrap() });
    let variables = Variables::default()
        .with("AWS_ENDPOINT_URL", format!("http://{address}"))
        .with("AWS_ACCESS_KEY_ID", "key")
        .with("AWS_SECRET_ACCESS_KEY", "hush");
    let arn = "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/auth";
    let error = resolve(variables.with("AUTH_ARN", arn)).await.unwrap_err().to_string();
    let expected = format!(
        "cannot read AUTH_ARN from {arn}: the server answered 400 AccessDeniedException: cn-north-1/ssm/aws4_request; \
         check that the role allows ssm:GetParameter (and kms:Decrypt for a key of your own)"
    );
    assert_eq!(error, expected);
}
