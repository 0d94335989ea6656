//! Where a secret is kept, as an Amazon resource name.

use serde_json::json;

use super::Service;
use super::call::Call;

/// The ARN of a secret or a parameter (AWS, "Amazon Resource Names (ARNs)"): `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretArn {
    text: String,
    service: Service,
    region: String,
    /// What the addresses of the partition's services end with.
    domain: &'static str,
}

impl SecretArn {
    /// Reads one; `None` for what is none, or of another service.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let ("arn", partition, service, region, _account, resource) =
            (next()?, next()?, next()?, next()?, next()?, next()?)
        else {
            return None;
        };
        let domain = match partition {
            "aws" | "aws-us-gov" => "amazonaws.com",
            "aws-cn" => "amazonaws.com.cn",
            _ => return None,
        };
        let service = match (service, resource.split_once([':', '/'])?) {
            ("secretsmanager", ("secret", name)) if !name.is_empty() => Service::SecretsManager,
            ("ssm", ("parameter", name)) if !name.is_empty() => Service::ParameterStore,
            _ => return None,
        };
        // It becomes part of an address.
        let plain = region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        plain.then(|| Self { text: text.to_owned(), service, region: region.to_owned(), domain })
    }

    pub(super) fn service(&self) -> Service {
        self.service
    }

    /// What a role must be allowed to do to read it.
    pub(super) fn action(&self) -> &'static str {
        match self.service {
            Service::ParameterStore => "ssm:GetParameter",
            _ => "secretsmanager:GetSecretValue",
        }
    }

    /// The request for its text (AWS, `GetSecretValue`, `GetParameter`).
    pub(super) fn call(&self) -> Call {
        let (target, body, wanted) = match self.service {
            Service::ParameterStore => {
                let body = json!({ "Name": self.text, "WithDecryption": true });
                ("AmazonSSM.GetParameter", body, "/Parameter/Value")
            }
            _ => ("secretsmanager.GetSecretValue", json!({ "SecretId": self.text }), "/SecretString"),
        };
        let address = format!("https://{}.{}.{}", self.service.signing_name(), self.region, self.domain);
        Call { service: self.service, region: self.region.clone(), address, target, body, wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_parameters_of_every_partition_are_asked_for_where_they_are() {
        let cases = [
            (
                "arn:aws:secretsmanager:us-west-2:123456789012:secret:buildhub/auth-AbCdEf",
                "https://secretsmanager.us-west-2.amazonaws.com",
            ),
            (
                "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:auth-AbCdEf",
                "https://secretsmanager.cn-north-1.amazonaws.com.cn",
            ),
            (
                "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/buildhub/auth",
                "https://ssm.us-gov-west-1.amazonaws.com",
            ),
            ("arn:aws:ssm:eu-central-1:123456789012:parameter/auth", "https://ssm.eu-central-1.amazonaws.com"),
        ];
        for (arn, address) in cases {
            let call = SecretArn::read(arn).unwrap().call();
            assert_eq!(call.address, address);
            let name = ["SecretId", "Name"].map(|field| call.body.get(field).cloned()).into_iter().flatten().next();
            assert_eq!(name, Some(arn.into()));
        }
    }

    #[test]
    fn what_names_no_secret_is_none() {
        for text in [
            "",
            "user:pass",
            "arn:aws:s3:::bucket",
            "arn:aws:ssm:us-east-1:123456789012:document/x",
            "arn:aws:ssm:us-east-1:123456789012:parameter",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:",
            "arn:aws:secretsmanager::123456789012:secret:x",
            "arn:aws:secretsmanager:evil.example/:123456789012:secret:x",
            "arn:other:secretsmanager:us-east-1:123456789012:secret:x",
        ] {
            assert_eq!(SecretArn::read(text), None, "{text}");
        }
    }
}
