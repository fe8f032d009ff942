// What Pub/Sub can take: https://cloud.google.com/pubsub/quotas#resource_limits
import type { ProviderLimits } from '../provider.ts'

export const PUBSUB_MAX_MESSAGES = 1_000 // of one request to publish or pull
export const PUBSUB_MAX_PUBLISH_BYTES = 10_000_000 // of one request, whatever is in it
export const PUBSUB_MAX_ACK_BYTES = 524_288 // of one request to acknowledge or to change a deadline
export const PUBSUB_LEAST_LEASE_SECONDS = 10
export const PUBSUB_MAX_HOLD_SECONDS = 600 // of one change of a deadline
export const PUBSUB_RETENTION_SECONDS = 7 * 86_400

const ROOM_BYTES = 10_000 // for the topic's name, attributes, and the lengths of everything

export const GCP_LIMITS: ProviderLimits = {
  maxBodyBytes: PUBSUB_MAX_PUBLISH_BYTES - ROOM_BYTES,
  maxLeaseSeconds: PUBSUB_MAX_HOLD_SECONDS,
  maxTotalLeaseSeconds: undefined,
  maxDelaySeconds: PUBSUB_MAX_HOLD_SECONDS,
  releasesCount: true,
  maxBatch: PUBSUB_MAX_MESSAGES,
}
