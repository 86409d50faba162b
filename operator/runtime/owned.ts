import type { KubernetesObject } from './api/resource-kind.ts'
import { isEmpty } from './applied.ts'

/** What server-side apply records of one manager, https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management. */
interface ManagedFields {
  manager?: string
  operation?: string
  subresource?: string
  fieldsV1?: object
}

/**
 * Whether a manager owns a field of a live object that it no longer wants: only another apply takes such a field away. Fields that others added are none of
 * its. Pure.
 */
export function ownsMore(live: KubernetesObject, wanted: object, manager: string): boolean {
  return !covers(wanted, appliedFields(live, manager))
}

/**
 * Whether a manager has lost a field that it wants: somebody else took it. Of a map that is one field, such as a label selector, that tells what comparing
 * cannot: that it says more than is wanted. Pure.
 */
export function ownsLess(live: KubernetesObject, wanted: object, manager: string): boolean {
  // Who and what an object is belongs to nobody.
  const { apiVersion: _version, kind: _kind, metadata, ...content } = wanted as KubernetesObject
  const { name: _name, namespace: _namespace, ...meta } = metadata
  return !isCovered({ ...content, metadata: meta }, appliedFields(live, manager))
}

/** The managers that took a field which this one wants, such as `kubectl-edit`. What nobody owns was taken away, or never applied. Pure. */
export function takers(live: KubernetesObject, wanted: object, manager: string): string[] {
  const own = appliedFields(live, manager)
  const others = managedFields(live).filter(
    ({ subresource, fieldsV1 = {} }) => subresource === undefined && hasTaken(wanted, fieldsV1, own),
  )
  return [...new Set(others.flatMap(({ manager }) => manager ?? []))]
}

function managedFields({ metadata }: KubernetesObject): ManagedFields[] {
  return (metadata.managedFields ?? []) as ManagedFields[]
}

function appliedFields(live: KubernetesObject, manager: string): object {
  const own = managedFields(live).find(
    (entry) => entry.manager === manager && entry.operation === 'Apply' && entry.subresource === undefined,
  )
  return own?.fieldsV1 ?? {}
}

/** Whether a set has a field of a value that is not in one's own. */
function hasTaken(value: unknown, theirs: object, own: object): boolean {
  return Object.entries(theirs).some(([path, inner]: [string, object]) => {
    const field = fieldAt(value, path)
    if (field === undefined) return false
    const mine = (own as Record<string, object>)[path]
    return isEmpty(inner) ? mine === undefined : hasTaken(field, inner, mine ?? {})
  })
}

/** Whether a value has every field of a set. */
function covers(value: unknown, fields: object): boolean {
  return Object.entries(fields).every(([path, inner]: [string, object]) => {
    // The object itself.
    if (path === '.') return true
    const field = fieldAt(value, path)
    return field !== undefined && covers(field, inner)
  })
}

/** What a value has at one step of a set: `f:name` is a field, `k:{…}` the item of a list with these keys, `v:…` one of a set. */
function fieldAt(value: unknown, path: string): unknown {
  const name = path.slice(2)
  if (path.startsWith('f:')) return (value as Record<string, unknown> | undefined)?.[name]
  if (path.startsWith('k:')) {
    const keys = Object.entries(JSON.parse(name) as object)
    const items = value as Record<string, unknown>[]
    return items.find((each) => keys.every(([key, wanted]) => each[key] === wanted))
  }
  if (path.startsWith('v:')) return (value as unknown[]).find((item) => item === JSON.parse(name))
  return undefined
}

/** Whether a set has every field of a value. What is empty is none; a field without fields of its own has everything that is in it. */
function isCovered(value: unknown, fields: object): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every((item) => hasItem(item, fields))
  return Object.entries(value).every(([name, inner]: [string, unknown]) => {
    if (isEmpty(inner)) return true
    const field = (fields as Record<string, object>)[`f:${name}`]
    return field !== undefined && (isEmpty(field) || isCovered(inner, field))
  })
}

function hasItem(item: unknown, fields: object): boolean {
  return Object.entries(fields).some(([path, inner]: [string, object]) => {
    const name = path.slice(2)
    if (path.startsWith('v:')) return JSON.parse(name) === item
    if (!path.startsWith('k:')) return false
    const keys = Object.entries(JSON.parse(name) as object)
    // A key that was left out has its default there.
    const isIt = keys.every(([key, is]) => [undefined, is].includes((item as Record<string, unknown>)[key]))
    return isIt && isCovered(item, inner)
  })
}
