"""The little that worker.py needs of requests and python-dotenv, made of the standard library."""

import json as json_module
import os
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 60


class HTTPError(Exception):
    def __init__(self, response):
        super().__init__(f"{response.status_code}: {response.text}")
        self.response = response


class Response:
    def __init__(self, status_code, text):
        self.status_code = status_code
        self.text = text

    def json(self):
        return json_module.loads(self.text)

    def raise_for_status(self):
        if self.status_code >= 400:
            raise HTTPError(self)


class Session:
    def __init__(self):
        self.headers = {}

    def post(self, url, json):
        request = urllib.request.Request(url, json_module.dumps(json).encode(), self.headers, method='POST')
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return Response(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Response(error.code, error.read().decode())


def load_dotenv(path='.env'):
    if not os.path.exists(path):
        return
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            name, equals, value = line.strip().partition('=')
            if equals and not name.startswith('#'):
                os.environ.setdefault(name.strip(), value.strip().strip('"'))
