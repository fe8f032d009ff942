// What an SQS queue can take: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
import type { ProviderLimits } from '../provider.ts'

/** Of a message with its attributes, and of a whole request. */
export const SQS_MAX_BYTES = 1_048_576
export const SQS_MAX_ENTRIES = 10 // of one request
export const SQS_MAX_WAIT_SECONDS = 20
export const SQS_RETENTION_SECONDS = 14 * 86_400 // the longest

const ATTRIBUTE_BYTES = 1_024 // kept free for `TaskId`
const LAST_RENEWAL_SECONDS = 60 // so that what is reported lost at the limit really is still ours until then

export const AWS_LIMITS: ProviderLimits = {
  maxBodyBytes: SQS_MAX_BYTES - ATTRIBUTE_BYTES,
  maxLeaseSeconds: 43_200,
  maxTotalLeaseSeconds: 43_200 - LAST_RENEWAL_SECONDS,
  maxDelaySeconds: 900,
  releasesCount: true,
  maxBatch: 1_000, // a hundred requests
  gatherSeconds: 1, // so that ten tasks a second fill their requests; a VM that vanishes repeats so much
}
