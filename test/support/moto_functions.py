"""Lambda functions of moto that really run: the code that was deployed, in the Node of the tests, with the function's own
environment and the emulator as its AWS. Moto itself would need Docker.

The environment variable MOTO_NODE names Node; POST /steer/functions {name: value} adds to the environment of all functions.
"""

import io
import json
import os
import subprocess
import tempfile
import zipfile

from moto.awslambda.models import LambdaFunction

added_environment = {}

PROGRAM = """
const [folder, handler, seconds, event] = process.argv.slice(1)
const [file, name] = handler.split('.')
const endsAt = Date.now() + Number(seconds) * 1000
const context = { getRemainingTimeInMillis: () => endsAt - Date.now() }
import(`${folder}/${file}.mjs`)
  .then(module => module[name](JSON.parse(event), context))
  .then(
    result => process.stderr.write('\\n' + JSON.stringify({ result: result ?? null })),
    error => process.stderr.write('\\n' + JSON.stringify({ errorMessage: error.message, errorType: error.name })),
  )
"""


def invoke(function, event=None):
    """Answers what moto expects: the result as text, whether it failed, the log."""
    with tempfile.TemporaryDirectory(prefix="cloud-tasks-function-") as folder:
        zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(folder)
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_REGION": function.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": f"http://localhost:{os.environ['MOTO_PORT']}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_EC2_METADATA_DISABLED": "true",
            **function.environment_vars,
            **added_environment,
        }
        words = [os.environ["MOTO_NODE"], "-e", PROGRAM, folder, function.handler, str(function.timeout)]
        try:
            ended = subprocess.run(
                [*words, json.dumps(event)], env=environment, capture_output=True, text=True, timeout=int(function.timeout)
            )
        except subprocess.TimeoutExpired as error:
            return json.dumps({"errorMessage": f"Task timed out after {error.timeout} seconds"}), True, ""
    last = ended.stderr.strip().split("\n")[-1]
    answer = json.loads(last) if last.startswith("{") else {"errorMessage": ended.stderr[-2000:]}
    failed = "errorMessage" in answer
    return json.dumps(answer if failed else answer["result"]), failed, ended.stdout


LambdaFunction._invoke_lambda = invoke
