// One OpenTelemetry span for each attempt of a task, made when the attempt has ended and sent in batches. Loaded only when an
// endpoint is set; the standard OTEL_… variables say where to and how. A collector that does not answer costs spans, not tasks.
import {
  context,
  DiagLogLevel,
  diag,
  type Span,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { type AttemptEvent, parseEvent } from '../core/task-event.ts'
import { bounded } from './bounded.ts'
import type { Log } from './log.ts'
import type { Report } from './reporter.ts'

export interface Tracing {
  hear(report: Report): void
  close(): Promise<void>
}

const FLUSH_MS = 3000 // at the end of an agent; a spot VM has thirty seconds for all
const COMPLAINT_MS = 60_000
const MAX_EXCEPTION_CHARACTERS = 4000

export function openTracing({ jobId, log }: { readonly jobId: string | undefined; readonly log: Log }): Tracing {
  complainSeldom(log)
  const provider = new NodeTracerProvider({
    // The environment's own words win over ours.
    resource: resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME || 'cloud-tasks-agent' }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    // A bounded queue (OTEL_BSP_MAX_QUEUE_SIZE): what comes faster than it can be sent is dropped.
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  })
  const tracer = provider.getTracer('cloud-tasks')
  return {
    hear({ task, event }) {
      const attempt = event === undefined ? undefined : parseEvent(event)
      if (task === undefined || attempt?.kind !== 'attempt') return
      const parent = parentOf(task.body)
      const endMs = Date.parse(attempt.timestamp)
      const span = tracer.startSpan(
        'task attempt',
        { startTime: endMs - attempt.elapsedSeconds * 1000, attributes: attributesOf(attempt, jobId) },
        parent === undefined ? context.active() : trace.setSpanContext(context.active(), parent),
      )
      describeFailure(span, attempt, endMs)
      span.end(endMs)
    },
    async close() {
      const sent = provider.shutdown().then(() => true)
      if ((await bounded(sent, FLUSH_MS)) === true) return
      log.warning('The last traces could not be sent: the collector did not take them in time.')
    },
  }
}

function attributesOf(attempt: AttemptEvent, jobId: string | undefined): Record<string, string | number | boolean> {
  const { taskId, instanceId, cpuSeconds, maxRssBytes, deadLetter } = attempt
  return {
    'cloud_tasks.task_id': taskId,
    'cloud_tasks.attempt': attempt.attempt,
    'cloud_tasks.outcome': attempt.outcome.kind,
    'cloud_tasks.retry': attempt.retry === true,
    'host.name': attempt.hostname,
    ...(jobId === undefined ? undefined : { 'cloud_tasks.job_id': jobId }),
    ...(instanceId === undefined ? undefined : { 'cloud_tasks.instance_id': instanceId }),
    ...(cpuSeconds === undefined ? undefined : { 'cloud_tasks.cpu_seconds': cpuSeconds }),
    ...(maxRssBytes === undefined ? undefined : { 'cloud_tasks.max_rss_bytes': maxRssBytes }),
    ...(deadLetter === undefined ? undefined : { 'cloud_tasks.dead_letter': deadLetter }),
  }
}

function describeFailure(span: Span, { outcome }: AttemptEvent, endMs: number): void {
  if (outcome.kind === 'completed') return
  if (outcome.kind !== 'exception') {
    span.setStatus({ code: SpanStatusCode.ERROR, message: outcome.kind })
    return
  }
  const text = outcome.exception.slice(0, MAX_EXCEPTION_CHARACTERS)
  const [message = ''] = text.split('\n')
  span.setStatus({ code: SpanStatusCode.ERROR, message })
  span.addEvent('exception', { 'exception.message': message, 'exception.stacktrace': text }, endMs)
}

/** `traceparent` of the message or of the task's data, as W3C Trace Context has it. */
function parentOf(body: string): SpanContext | undefined {
  // A quote inside a text of JSON has a backslash: this is found only as a key with its value.
  const [, traceId, spanId, flags] =
    /"traceparent":\s*"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"/.exec(body) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  const sampled = (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) !== 0
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true }
}

/** A collector that is down fails every few seconds: said once a minute. */
function complainSeldom(log: Log): void {
  let saidAtMs = Number.NEGATIVE_INFINITY
  const complain = (message: string) => {
    if (Date.now() - saidAtMs < COMPLAINT_MS) return
    saidAtMs = Date.now()
    log.warning(`Traces could not be sent, tasks run on without them: ${sentenceOf(message)}`)
  }
  const silent = () => {}
  diag.setLogger(
    { error: complain, warn: complain, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
}

/** The library gives an error as JSON of all its fields. */
function sentenceOf(text: string): string {
  const message = /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text
  return message.slice(0, 300)
}
