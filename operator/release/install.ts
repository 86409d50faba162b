import type { Install } from '../../core/ownership/records.ts'
import { namespaces } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'

/**
 * Which install this is: the one of the release's namespace, where the Lease is that makes several operators one. A namespace that is made again under the
 * same name is another one, as is that of another cluster.
 */
export async function readInstall(api: Api, namespace: string, signal?: AbortSignal): Promise<Install> {
  const { metadata } = await api.get(namespaces, { namespace: '', name: namespace }, signal)
  return { id: `kubernetes-${metadata.uid}`, name: `the operator in namespace ${namespace}` }
}
