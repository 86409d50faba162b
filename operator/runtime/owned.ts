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

function appliedFields({ metadata }: KubernetesObject, manager: string): object {
  const entries = (metadata.managedFields ?? []) as ManagedFields[]
  const own = entries.find(
    (entry) => entry.manager === manager && entry.operation === 'Apply' && entry.subresource === undefined,
  )
  return own?.fieldsV1 ?? {}
}

/** Whether a value has every field of a set: `f:name` is a field, `k:{…}` the item of a list with these keys, `v:…` one of a set. */
function covers(value: unknown, fields: object): boolean {
  return Object.entries(fields).every(([path, inner]: [string, object]) => {
    const name = path.slice(2)
    if (path.startsWith('f:')) {
      const field = (value as Record<string, unknown> | undefined)?.[name]
      return field !== undefined && covers(field, inner)
    }
    if (path.startsWith('k:')) {
      const keys = Object.entries(JSON.parse(name) as object)
      const item = (value as Record<string, unknown>[]).find((each) =>
        keys.every(([key, wanted]) => each[key] === wanted),
      )
      return item !== undefined && covers(item, inner)
    }
    if (path.startsWith('v:')) return (value as unknown[]).includes(JSON.parse(name))
    // `.` is the object itself.
    return true
  })
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
