<?php
// The little that worker.php needs of guzzlehttp/guzzle and vlucas/phpdotenv, made of what PHP brings.

namespace GuzzleHttp {
    class Client {
        private $origin;
        private $timeout;
        private $headers;

        public function __construct($config) {
            $parts = parse_url($config['base_uri']);
            $this->origin = "{$parts['scheme']}://{$parts['host']}" . (isset($parts['port']) ? ":{$parts['port']}" : '');
            $this->timeout = $config['timeout'];
            $this->headers = $config['headers'];
        }

        /** As in Guzzle, a path that begins with a slash takes the place of the base's path. */
        public function post($path, $options) {
            $headers = ['Connection: close'];
            foreach ($this->headers as $name => $value) {
                $headers[] = "$name: $value";
            }
            $context = stream_context_create(['http' => [
                'method' => 'POST',
                'header' => $headers,
                'content' => json_encode($options['json']),
                'timeout' => $this->timeout,
                'ignore_errors' => true
            ]]);
            $body = @file_get_contents($this->origin . $path, false, $context);
            if ($body === false) {
                throw new \Exception("{$this->origin}$path does not answer");
            }
            $response = new Response((int)explode(' ', $http_response_header[0])[1], $body);
            if ($response->getStatusCode() >= 400) {
                throw new Exception\ClientException($response);
            }
            return $response;
        }
    }

    class Response {
        private $status;
        private $body;

        public function __construct($status, $body) {
            $this->status = $status;
            $this->body = $body;
        }

        public function getStatusCode() {
            return $this->status;
        }

        public function getBody() {
            return $this->body;
        }
    }
}

namespace GuzzleHttp\Exception {
    class ClientException extends \Exception {
        private $response;

        public function __construct($response) {
            parent::__construct("{$response->getStatusCode()}: {$response->getBody()}");
            $this->response = $response;
        }

        public function getResponse() {
            return $this->response;
        }
    }
}

namespace Dotenv {
    class Dotenv {
        private $folder;

        private function __construct($folder) {
            $this->folder = $folder;
        }

        public static function createImmutable($folder) {
            return new Dotenv($folder);
        }

        public function load() {
            foreach (file("{$this->folder}/.env", FILE_IGNORE_NEW_LINES | FILE_SKIP_EMPTY_LINES) as $line) {
                if ($line[0] !== '#' && strpos($line, '=') !== false) {
                    [$name, $value] = explode('=', $line, 2);
                    $_ENV[trim($name)] = $_ENV[trim($name)] ?? trim($value, " \"");
                }
            }
        }
    }
}
