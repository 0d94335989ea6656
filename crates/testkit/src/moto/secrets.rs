//! Secrets and parameters.

use serde_json::json;

use super::{ACCOUNT, Moto, MotoError, REGION, text};

impl Moto {
    /// Keeps a text in Secrets Manager; its ARN.
    pub async fn create_secret(&self, name: &str, value: &str) -> Result<String, MotoError> {
        let request = json!({ "Name": name, "SecretString": value, "ClientRequestToken": "00000000-0000-0000-0000-000000000000" });
        let answer = self.call("secretsmanager", "secretsmanager.CreateSecret", request).await?;
        text("CreateSecret", &answer, "ARN")
    }

    /// Keeps a text in Parameter Store, as a `SecureString`; its ARN. The name begins with a slash.
    pub async fn put_parameter(&self, name: &str, value: &str) -> Result<String, MotoError> {
        let request = json!({ "Name": name, "Value": value, "Type": "SecureString" });
        self.call("ssm", "AmazonSSM.PutParameter", request).await?;
        Ok(format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"))
    }
}
