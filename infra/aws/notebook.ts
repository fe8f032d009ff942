// The notebook of a job on AWS: one item a job in the DynamoDB table that the job's stack makes. The text is kept compressed,
// because an item may have 400 KB.
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { UserError } from '../../core/errors.ts'
import type { Note, Notebook } from '../notebook.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { JobRef } from '../provider.ts'
import { awsClientConfig } from './connection.ts'
import { awsErrorCode, awsFailure } from './failure.ts'
import { stackNameOf } from './stack-name.ts'

const MAX_TEXT_BYTES = 400_000 // of the item's 409,600; the rest is for names, key and version

export class AwsNotebook implements Notebook {
  readonly #client: DynamoDBClient
  readonly #jobId: string
  readonly #table: string

  constructor(settings: ProviderSettings, { jobId, region }: JobRef) {
    this.#client = new DynamoDBClient(awsClientConfig(settings, 'DYNAMODB', { ...(region && { region }) }))
    this.#jobId = jobId
    this.#table = notebookTable(jobId)
  }

  async read(): Promise<Note | undefined> {
    const { Item: item } = await this.#client
      .send(new GetItemCommand({ TableName: this.#table, Key: { job_id: { S: this.#jobId } }, ConsistentRead: true }))
      .catch(error => this.#fail(error, 'Reading'))
    const [bytes, version] = [item?.text?.B, item?.version?.N]
    if (bytes === undefined || version === undefined) return undefined
    return { text: (await promisify(gunzip)(bytes)).toString('utf8'), version }
  }

  async write(text: string, version: string | undefined): Promise<boolean> {
    const bytes = await promisify(gzip)(text, { level: 9 })
    if (bytes.length > MAX_TEXT_BYTES) {
      throw new Error(
        `Notes of job "${this.#jobId}" take ${bytes.length} bytes, and DynamoDB has room for ${MAX_TEXT_BYTES}.`,
      )
    }
    const [next, condition] =
      version === undefined
        ? ['1', { ConditionExpression: 'attribute_not_exists(job_id)' }]
        : [String(Number(version) + 1), onVersion(version)]
    try {
      // One conditional request: it is there whole and alone, or not at all.
      await this.#client.send(
        new PutItemCommand({
          TableName: this.#table,
          Item: { job_id: { S: this.#jobId }, version: { N: next }, text: { B: bytes } },
          ...condition,
        }),
      )
      return true
    } catch (error) {
      if (awsErrorCode(error) !== 'ConditionalCheckFailedException') return this.#fail(error, 'Writing')
      // A request that is repeated after its answer was lost finds its own version there.
      const written = await this.read()
      return written?.version === next && written.text === text
    }
  }

  close(): void {
    this.#client.destroy()
  }

  #fail(error: unknown, doing: string): never {
    if (awsErrorCode(error) === 'ResourceNotFoundException') {
      throw new UserError(
        `Job "${this.#jobId}" has no manager in the cloud: DynamoDB table ${this.#table} does not exist. Deploy the job first.`,
        { cause: error },
      )
    }
    throw awsFailure(error, { doing: `${doing} what the manager remembers in table ${this.#table}` })
  }
}

function notebookTable(jobId: string): string {
  return stackNameOf(jobId)
}

function onVersion(version: string) {
  return {
    ConditionExpression: '#version = :version',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':version': { N: version } },
  }
}
