<?php
// A worker in PHP: claims tasks over HTTP, runs them, reports how they ended.
//     composer require guzzlehttp/guzzle vlucas/phpdotenv && php worker.php
// Without these packages it makes do with what PHP brings (plain-client.php).
if (is_file(__DIR__ . '/vendor/autoload.php')) {
    require __DIR__ . '/vendor/autoload.php';
} else {
    require __DIR__ . '/plain-client.php';
}

use GuzzleHttp\Client;

/** Says whether another attempt can help. */
class TaskError extends Exception {
    public $type;
    public $retryable;

    public function __construct($message, $type, $retryable = false) {
        parent::__construct($message);
        $this->type = $type;
        $this->retryable = $retryable;
    }
}

class Worker {
    private $client;
    private $apiUrl;
    private $apiKey;
    private $pollingInterval;
    private $running = false;

    public function __construct($config) {
        $this->apiUrl = $config['api_url'];
        $this->apiKey = $config['api_key'];
        $this->pollingInterval = $config['polling_interval'] ?? 5;

        $this->client = new Client([
            'base_uri' => $this->apiUrl,
            'timeout' => 30,
            'headers' => [
                'Authorization' => 'Bearer ' . $this->apiKey,
                'Content-Type' => 'application/json'
            ]
        ]);
    }

    public function start() {
        echo "Worker starting...\n";
        $this->running = true;

        while ($this->running) {
            try {
                $this->poll();
            } catch (Exception $e) {
                error_log("Polling error: " . $e->getMessage());
                $this->pause();
            }
        }
    }

    private function poll() {
        $task = $this->claimTask();

        if (!$task) {
            $this->pause();
            return;
        }

        try {
            $result = $this->processTask($task);
        } catch (Exception $e) {
            $this->failTask($task['id'], $e);
            return;
        }
        $this->completeTask($task['id'], $result);
    }

    private function claimTask() {
        try {
            $response = $this->client->post('/tasks/claim', [
                'json' => ['worker_id' => $this->getWorkerId()]
            ]);

            $data = json_decode($response->getBody(), true);
            return $data['task'] ?? null;
        } catch (GuzzleHttp\Exception\ClientException $e) {
            if ($e->getResponse()->getStatusCode() === 404) {
                return null;  // No tasks available
            }
            throw $e;
        }
    }

    private function processTask($task) {
        echo "Processing task {$task['id']}...\n";
        return $this->executeTaskLogic($task);
    }

    /** Your work goes here. */
    private function executeTaskLogic($task) {
        $parameters = $task['parameters'];
        switch ($task['type']) {
            case 'add.numbers':
                return ['sum' => $parameters['first'] + $parameters['second']];
            case 'greet.person':
                return ['greeting' => "Hello, {$parameters['name']}!"];
            case 'call.service':
                if ($task['attempt'] === 1) {
                    throw new TaskError('Rate limit exceeded', 'RATE_LIMIT', true);
                }
                return ['attempt' => $task['attempt']];
            default:
                throw new Exception("Unknown task type: {$task['type']}");
        }
    }

    private function completeTask($taskId, $result) {
        $this->client->post('/tasks/' . rawurlencode($taskId) . '/complete', [
            'json' => ['result' => $result]
        ]);

        echo "Task {$taskId} completed\n";
    }

    private function failTask($taskId, Exception $e) {
        $body = [
            'error' => $e->getMessage(),
            'trace' => $e->getTraceAsString()
        ];
        if ($e instanceof TaskError) {
            $body += ['type' => $e->type, 'retryable' => $e->retryable];
        }
        $this->client->post('/tasks/' . rawurlencode($taskId) . '/fail', ['json' => $body]);

        error_log("Task {$taskId} failed: " . $e->getMessage());
    }

    private function getWorkerId() {
        return $_ENV['WORKER_ID'] ?? (getenv('WORKER_ID') ?: 'worker-' . getmypid());
    }

    private function pause() {
        usleep((int)($this->pollingInterval * 1000000));
    }

    public function stop() {
        echo "Worker stopping...\n";
        $this->running = false;
    }
}

$dotenv = Dotenv\Dotenv::createImmutable(__DIR__);
$dotenv->load();

$worker = new Worker([
    'api_url' => $_ENV['API_URL'],
    'api_key' => $_ENV['API_KEY'],
    'polling_interval' => (float)($_ENV['POLLING_INTERVAL'] ?? 5)
]);

if (function_exists('pcntl_signal')) {
    pcntl_async_signals(true);
    pcntl_signal(SIGTERM, function() use ($worker) {
        $worker->stop();
    });
    pcntl_signal(SIGINT, function() use ($worker) {
        $worker->stop();
    });
}

$worker->start();
