import { createHash } from 'node:crypto'
import type { ObjectName } from '../runtime/api/resource-kind.ts'

/** Who made an object, for `kubectl get -l` and for us: owner references cannot cross namespaces. */
export const label = {
  name: 'app.kubernetes.io/name',
  component: 'app.kubernetes.io/component',
  managedBy: 'app.kubernetes.io/managed-by',
  partOf: 'app.kubernetes.io/part-of',
  channelNamespace: 'carillon.dev/channel-namespace',
  channelName: 'carillon.dev/channel-name',
} as const

export const manager = 'carillon-operator'
/** Selects what the operator made. */
export const managedSelector = `${label.managedBy}=${manager}`

/**
 * Name of a channel's objects in the release's namespace. The hash tells `a-b`/`c` from `a`/`b-c`; with it a name has 63 characters at the most,
 * which is what a label value, and so a pod's owner, may have.
 */
export function childName({ namespace, name }: ObjectName): string {
  const hash = createHash('sha256').update(`${namespace}/${name}`).digest('hex').slice(0, 8)
  return `nch-${`${namespace}-${name}`.slice(0, 50).replace(/-+$/, '')}-${hash}`
}

/** The labels of everything that is made for a channel: its selector, and whose it is in the words of Kubernetes. */
export function childLabels({ namespace, name }: ObjectName): Record<string, string> {
  return {
    ...selectorLabels({ namespace, name }),
    [label.managedBy]: manager,
    [label.partOf]: 'carillon',
  }
}

/** The labels by which a Deployment knows its pods: they can never change. */
export function selectorLabels({ namespace, name }: ObjectName): Record<string, string> {
  return {
    [label.name]: 'carillon',
    [label.component]: 'worker',
    [label.channelNamespace]: namespace,
    [label.channelName]: name,
  }
}

/** The channel that an object was made for, or undefined when it was made for none. */
export function channelOf(labels: Readonly<Record<string, string>> | undefined): ObjectName | undefined {
  const namespace = labels?.[label.channelNamespace]
  const name = labels?.[label.channelName]
  return namespace === undefined || name === undefined || labels?.[label.managedBy] !== manager
    ? undefined
    : { namespace, name }
}

/** Whether an object was made for a channel. */
export function isOf(
  { namespace, name }: ObjectName,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const of = channelOf(labels)
  return of?.namespace === namespace && of.name === name
}
