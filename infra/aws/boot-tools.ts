// Bash by which a VM of EC2 reads its bundle from S3 and its secrets, with the credentials of its own role. Needs curl and
// python3, which every image with cloud-init has, and not the AWS command line, which hardly any has.

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' // of a request without a body

/**
 * Defines `ct_fetch_store` for s3://bucket/key and `ct_read_secret` for the name of an SSM parameter or the ARN of a
 * secret of Secrets Manager. Credentials reach curl on its standard input: a command line can be read by every process.
 */
export const AWS_BOOT_TOOLS = `ct_imds="\${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}"
ct_metadata() { # PATH
  local token
  token=$(curl -fsS --connect-timeout 5 --max-time 10 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$ct_imds/latest/api/token") || return 1
  curl -fsS --connect-timeout 5 --max-time 10 -H "X-aws-ec2-metadata-token: $token" "$ct_imds/latest/meta-data/$1"
}
ct_region() { printf '%s' "\${RMS_CLOUD_TASKS_REGION:-$(ct_metadata placement/region)}"; }
ct_json() { # FIELD…; of the JSON on stdin
  python3 -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]: value = value[name]
sys.stdout.write(value)' "$@"
}
ct_signed_curl() { # SERVICE ARGS…
  local role credentials service=$1
  shift
  if [ -n "\${AWS_ACCESS_KEY_ID:-}" ]; then
    credentials=$(printf '{"AccessKeyId":"%s","SecretAccessKey":"%s","Token":"%s"}' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "\${AWS_SESSION_TOKEN:-}")
  else
    role=$(ct_metadata iam/security-credentials/) || return 1
    credentials=$(ct_metadata "iam/security-credentials/$role") || return 1
  fi
  printf 'user = "%s:%s"\\nheader = "x-amz-security-token: %s"\\n' "$(printf %s "$credentials" | ct_json AccessKeyId)" \\
    "$(printf %s "$credentials" | ct_json SecretAccessKey)" "$(printf %s "$credentials" | ct_json Token)" |
    curl -fsS --connect-timeout 20 --max-time 900 --config - --aws-sigv4 "aws:amz:$(ct_region):$service" "$@"
}
ct_fetch_store() { # s3://BUCKET/KEY FILE
  local bucket key endpoint="\${AWS_ENDPOINT_URL_S3:-\${AWS_ENDPOINT_URL:-}}"
  bucket=\${1#s3://}; key=\${bucket#*/}; bucket=\${bucket%%/*}
  if [ -n "$endpoint" ]; then endpoint="\${endpoint%/}/$bucket"; else endpoint="https://$bucket.s3.$(ct_region).amazonaws.com"; fi
  ct_signed_curl s3 -H 'x-amz-content-sha256: ${EMPTY_SHA256}' -o "$2" "$endpoint/$key"
}
ct_read_secret() { # NAME OR ARN
  local service target body endpoint fields
  case "$1" in
    arn:*:secretsmanager:*) service=secretsmanager target=secretsmanager.GetSecretValue fields=SecretString
      endpoint="\${AWS_ENDPOINT_URL_SECRETS_MANAGER:-\${AWS_ENDPOINT_URL:-}}" ;;
    *) service=ssm target=AmazonSSM.GetParameter fields='Parameter Value'
      endpoint="\${AWS_ENDPOINT_URL_SSM:-\${AWS_ENDPOINT_URL:-}}" ;;
  esac
  body=$(python3 -c 'import json, sys
print(json.dumps({"SecretId": sys.argv[2]} if sys.argv[1] == "secretsmanager" else {"Name": sys.argv[2], "WithDecryption": True}))' "$service" "$1")
  ct_signed_curl "$service" -H "X-Amz-Target: $target" -H 'Content-Type: application/x-amz-json-1.1' --data "$body" \\
    "\${endpoint:-https://$service.$(ct_region).amazonaws.com}" | ct_json $fields
}`
