import { isApplied } from '../runtime/applied.ts'
import type { KubernetesObject } from '../runtime/resource-kind.ts'

interface Secret extends KubernetesObject {
  data?: Record<string, string>
}

const annotation = 'carillon.dev/content-version'

/**
 * The version of a live Secret whose content is the one that is wanted; undefined when it is another one, or bears no version. It is kept through repairs, so
 * that what was edited by hand and put right rolls no worker, and it says nothing of the content, as a hash of a password would. Pure.
 */
export function versionOf(live: Secret | undefined, wanted: Secret): string | undefined {
  return live !== undefined && isApplied(live.data, wanted.data)
    ? live.metadata.annotations?.[annotation]
    : undefined
}

export function withVersion(secret: Secret, version: string): KubernetesObject {
  return { ...secret, metadata: { ...secret.metadata, annotations: { [annotation]: version } } }
}
