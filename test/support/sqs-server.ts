// SQS in this process: fauxqs on a loopback port, with one departure from SQS mended.
import { buildApp } from 'fauxqs'
import type { ProviderSettings } from '../../infra/open-provider.ts'

export interface SqsServer {
  readonly url: string
  close(): Promise<void>
}

export async function startSqsServer(): Promise<SqsServer> {
  await allowAllCharacters()
  const app = buildApp({ logger: false, defaultRegion: 'us-east-1' })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { url, close: async () => void (await app.close()) }
}

/** Settings of the aws provider for an emulator at `url`. */
export function emulatorSettings(url: string): ProviderSettings {
  return {
    region: 'us-east-1',
    env: {
      AWS_ENDPOINT_URL_SQS: url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      CLOUD_TASKS_SQS_PURGE_SECONDS: '0',
    },
  }
}

/** SQS takes characters beyond U+FFFF; fauxqs looks at the halves of their surrogate pairs and refuses them. */
async function allowAllCharacters(): Promise<void> {
  const file = new URL('./sqs/sqsTypes.js', import.meta.resolve('fauxqs'))
  const { INVALID_MESSAGE_BODY_CHAR: pattern }: { INVALID_MESSAGE_BODY_CHAR: RegExp } = await import(file.href)
  const allowed = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u
  pattern.test = body => allowed.test(body)
}
