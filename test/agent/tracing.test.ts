import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fixture, openBench } from './agent-run.ts'

const TIMEOUT = { timeout: 60_000 }
const AGENT = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly status: { readonly code: number; readonly message?: string }
  readonly events: readonly { readonly name: string }[]
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
}

interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  readonly serviceNames: readonly string[]
}

/** As an OpenTelemetry collector: OTLP over HTTP, in JSON. */
async function openReceiver(): Promise<Receiver> {
  const spans: ReceivedSpan[] = []
  const serviceNames: string[] = []
  const server: Server = createServer(async (request, response) => {
    assert.equal(request.url, '/v1/traces')
    assert.equal(request.headers['content-type'], 'application/json')
    let text = ''
    for await (const chunk of request) text += String(chunk)
    for (const { resource, scopeSpans } of JSON.parse(text).resourceSpans) {
      serviceNames.push(
        resource.attributes.find(({ key }: { key: string }) => key === 'service.name').value.stringValue,
      )
      for (const scope of scopeSpans) spans.push(...scope.spans)
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    serviceNames,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function attributes(span: ReceivedSpan | undefined): Readonly<Record<string, unknown>> {
  return Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]))
}

describe('traces of an agent', () => {
  it(
    'have one span for each attempt, sent before the agent ends, below the span that the task names',
    TIMEOUT,
    async () => {
      await using bench = await openBench()
      await using receiver = await openReceiver()
      await bench.load([
        { task_id: 'good', data: { how: 'sleeps', seconds: 0.2, traceparent: `00-${TRACE}-${SPAN}-01` } },
        { task_id: 'twice', data: { how: 'throws once' } },
      ])
      const job = ['--provider', 'local', '--local-root', bench.folder, '--job-id', 'job']
      const agent = bench.startAlone(
        AGENT,
        [...job, '--retry-on-exception', '--max-num-tasks', '3', fixture('answers-by-data.ts')],
        { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'my-analysis' },
      )
      const { code, stderr } = await agent.exit
      assert.equal(code, 0, stderr)
      assert.doesNotMatch(stderr, /Traces/)
      assert.deepEqual(new Set(receiver.serviceNames), new Set(['my-analysis']))
      assert.equal(receiver.spans.length, 3)
      const spanOf = (id: string, attempt: number) =>
        receiver.spans.find(span => {
          const found = attributes(span)
          return found['cloud_tasks.task_id'] === id && found['cloud_tasks.attempt'] === attempt
        })

      const good = spanOf('good', 1)
      assert.deepEqual([good?.traceId, good?.parentSpanId, good?.name], [TRACE, SPAN, 'task attempt'])
      assert.equal(attributes(good)['cloud_tasks.outcome'], 'completed')
      assert.equal(attributes(good)['cloud_tasks.job_id'], 'job')
      const seconds = Number(BigInt(good?.endTimeUnixNano ?? 0) - BigInt(good?.startTimeUnixNano ?? 0)) / 1e9
      assert.ok(seconds >= 0.19 && seconds < 5, `${seconds} s`)

      const [failed, again] = [spanOf('twice', 1), spanOf('twice', 2)]
      assert.equal(failed?.status.code, 2)
      assert.match(failed?.status.message ?? '', /first time/)
      assert.equal(failed?.events[0]?.name, 'exception')
      assert.equal(attributes(failed)['cloud_tasks.retry'], true)
      assert.equal(failed?.parentSpanId ?? '', '')
      assert.equal(attributes(again)['cloud_tasks.outcome'], 'completed')
      assert.notEqual(again?.status.code, 2)
    },
  )

  it('are given up with a sentence when nobody receives them: the tasks are done all the same', TIMEOUT, async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'one', data: { how: 'plain' } }])
    const agent = bench.startAlone(
      AGENT,
      [
        ...['--provider', 'local', '--local-root', bench.folder, '--job-id', 'job', '--max-num-tasks', '1'],
        fixture('answers-by-data.ts'),
      ],
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
    )
    const { code, stderr } = await agent.exit
    assert.equal(code, 0, stderr)
    assert.equal((await bench.events()).length, 1)
    assert.match(stderr, /WARNING - (The last traces|Traces) could not be sent/)
    assert.doesNotMatch(stderr, /^ +at /m)
  })

  it('load nothing at all unless an endpoint is set', TIMEOUT, async () => {
    await using bench = await openBench()
    await using receiver = await openReceiver()
    const spy = join(bench.folder, 'spy.mjs')
    writeFileSync(spy, SPY)
    const loadsTracing = async (env: Readonly<Record<string, string>>) => {
      await bench.load([{ task_id: 'one', data: { how: 'plain' } }])
      const words = ['--provider', 'local', '--local-root', bench.folder, '--job-id', 'job', '--max-num-tasks', '1']
      const { code, stderr } = await bench.startAlone(AGENT, [...words, fixture('answers-by-data.ts')], {
        NODE_OPTIONS: `--import ${spy}`,
        ...env,
      }).exit
      assert.equal(code, 0, stderr)
      return stderr.includes('LOADED @opentelemetry')
    }
    assert.equal(await loadsTracing({}), false)
    assert.equal(await loadsTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }), true)
  })
})

const SPY = `import { registerHooks } from 'node:module'
registerHooks({
  resolve(name, context, next) {
    if (name.startsWith('@opentelemetry')) process.stderr.write('LOADED ' + name + '\\n')
    return next(name, context)
  },
})
`
