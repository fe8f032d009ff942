// The DynamoDB table of a job's notebook, as the job's stack makes it.
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { awsClientConfig } from '../../../infra/aws/connection.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'

export async function makeNotebookTable(settings: ProviderSettings, jobId: string): Promise<void> {
  const client = new DynamoDBClient(awsClientConfig(settings, 'DYNAMODB'))
  await client.send(
    new CreateTableCommand({
      TableName: `cloud-tasks-${jobId}`,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'job_id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'job_id', KeyType: 'HASH' }],
    }),
  )
  client.destroy()
}
