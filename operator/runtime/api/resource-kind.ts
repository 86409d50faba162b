/** A kind of resource as the API server's addresses name it. */
export interface ResourceKind {
  /** `apps/v1`, or `v1` for the core group. */
  apiVersion: string
  kind: string
  plural: string
  namespaced: boolean
}

/** What every object of Kubernetes has. */
export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

export interface ObjectMeta {
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  managedFields?: unknown
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
}

/** Names one object among those of its kind. The namespace is empty for what has none. */
export interface ObjectName {
  namespace: string
  name: string
}

export const nameOf = ({ metadata }: KubernetesObject): ObjectName => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
})

/** Whether the one is the other with no more than another status or other metadata. */
export const hasSameSpec = (object: KubernetesObject, previous: KubernetesObject | undefined): boolean =>
  previous?.metadata.uid === object.metadata.uid &&
  previous?.metadata.generation === object.metadata.generation

/** `namespace/name`: what a queue holds. */
export const keyOf = ({ namespace, name }: ObjectName): string => `${namespace}/${name}`

/** The name that `keyOf` made a key of. */
export function parseKey(key: string): ObjectName {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** The path of a collection, of an object in it, or of one of its subresources. */
export function pathOf(
  { apiVersion, plural, namespaced }: ResourceKind,
  { namespace, name, subresource }: { namespace?: string; name?: string; subresource?: string },
): string {
  const parts = [
    apiVersion.includes('/') ? 'apis' : 'api',
    apiVersion,
    ...(namespaced && namespace ? ['namespaces', encodeURIComponent(namespace)] : []),
    plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ]
  return `/${parts.join('/')}`
}
