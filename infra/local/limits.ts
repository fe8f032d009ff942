// What a local queue can take; generous, but finite, so that a job that runs here also fits elsewhere.
import type { ProviderLimits } from '../provider.ts'

export const LOCAL_LIMITS: ProviderLimits = {
  maxBodyBytes: 1_048_576,
  maxLeaseSeconds: 43_200,
  maxTotalLeaseSeconds: undefined,
  maxDelaySeconds: 365 * 86_400,
  maxBatch: 10_000,
}
