//! Self-serve's API, asked, and what stands behind it.

use buildhub_core::Deadline;
use buildhub_core::web::header::{ACCEPT, CONTENT_TYPE};
use buildhub_core::web::{HeaderName, HeaderValue, Method, Request, Response};
use buildhub_self_serve::access::Admins;
use buildhub_self_serve::api::{Api, ApiSettings, Parts};
use buildhub_self_serve::identity::{Claims, IdentitySource};
use buildhub_self_serve::work::Message;
use buildhub_testkit::buildbot::Settings;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;

/// Self-serve as its users meet it, with what stands behind it.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) api: Api,
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    pub(crate) site: &'a Site,
    pub(crate) request: Request,
}

/// Whose claims are believed, and that sheriffs administrate.
pub(crate) fn settings() -> ApiSettings {
    ApiSettings {
        identity: IdentitySource::Claims(Claims { name: "email".to_owned(), groups: "groups".to_owned() }),
        admins: "group:sheriffs".parse::<Admins>().unwrap(),
        events: Some("events:push".parse().unwrap()),
        zone: jiff::tz::TimeZone::UTC,
        origins: Vec::new(),
        address: None,
    }
}

/// What an API of a world stands on.
pub(crate) fn parts(world: &World) -> Parts {
    Parts {
        jobs: world.jobs.clone(),
        builds: world.builds.clone(),
        backend: world.backend.clone(),
        documents: world.documents.clone(),
        queue: world.queue.clone(),
    }
}

impl Site {
    pub(crate) async fn start(settings: Settings) -> Self {
        Self::of(World::start(settings).await)
    }

    /// With that behind it.
    pub(crate) fn of(world: World) -> Self {
        let api = Api::new(settings(), parts(&world));
        Self { world, api }
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        let mut request = Request::get(path);
        request.method = method;
        "builds.example".clone_into(&mut request.host);
        Ask { site: self, request }.header(ACCEPT, "application/json")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path).answer().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Carries out the job that an answer tells of: what is said of its end.
    pub(crate) async fn carry_out(&self, answer: &Response) -> Value {
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status.as_u16(), &said["status"]), (202, &json!("OK")), "{said}");
        let id = said["request_id"].as_u64().unwrap();
        let delivery = self.world.queue.receive().await;
        assert_eq!(Message::parse(&delivery.body).unwrap(), Message { job: id });
        self.world.queue.remove(&delivery);
        self.world.handle(id).await;
        let job = self.get(&format!("/self-serve/jobs/{id}")).await;
        assert!(job["completed_at"].is_i64() && job["complete_data"]["request_id"] == id, "{job}");
        json!([job["complete_data"]["body"]["errors"], job["complete_data"]["body"]["msg"]])
    }
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.request.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn by(mut self, person: &str) -> Self {
        self.request.claims.insert("email".to_owned(), person.to_owned());
        self
    }

    pub(crate) fn sheriff(mut self) -> Self {
        self.request.claims.insert("groups".to_owned(), "[sheriffs]".to_owned());
        self.by("sheriff")
    }

    pub(crate) fn form(mut self, body: &str) -> Self {
        self.request.body = body.to_owned().into();
        self.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.request.body = body.to_string().into();
        self.header(CONTENT_TYPE, "application/json")
    }

    pub(crate) async fn answer(self) -> Response {
        self.site.api.answer(&self.request, Timestamp::now(), Deadline::NONE).await
    }

    /// The status, and what is said of a refusal.
    pub(crate) async fn refusal(self) -> (u16, String) {
        let answer = self.answer().await;
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said["status"], "FAILED", "{said}");
        (answer.status.as_u16(), said["msg"].as_str().unwrap().to_owned())
    }
}
