// Addresses of objects in a cloud's buckets: scheme://bucket/key. What follows the bucket is the key, letter by letter, as the
// clouds' own programs write it.
import { UserError } from '../core/errors.ts'
import { OBJECT_PREFIX } from './object-key.ts'

export interface Place {
  readonly bucket: string
  readonly key: string
}

export function urlOf(scheme: BucketScheme, { bucket, key }: Place): string {
  return `${scheme}://${bucket}/${key}`
}

type BucketScheme = keyof typeof PROVIDERS

const PROVIDERS = { s3: 'aws', gs: 'gcp' } as const

export function placeOf(scheme: BucketScheme, url: string): Place {
  const [, bucket, key] = new RegExp(`^${scheme}://([^/]+)/(.+)$`, 'is').exec(url) ?? []
  if (bucket !== undefined && key !== undefined) return { bucket, key }
  throw new UserError(
    `The provider ${PROVIDERS[scheme]} cannot read "${url}": give it as ${scheme}://bucket/key, http: or https:.`,
  )
}

/** Of what an object store wrote itself: an object of the user's own is not ours to delete. */
export function ownPlaceOf(scheme: BucketScheme, url: string, ownBucket: string): Place {
  const place = placeOf(scheme, url)
  if (place.bucket === ownBucket && place.key.startsWith(OBJECT_PREFIX)) return place
  throw new UserError(`"${url}" is not under ${scheme}://${ownBucket}/${OBJECT_PREFIX}, so it is not deleted.`)
}
