import type { z } from 'zod'
import { channelConditions, templateConditions } from '../core/resources/condition.ts'
import { group, label, version } from '../core/resources/resource.ts'
import { type StructuralSchema, structuralSchema } from './structural.ts'

export interface Column {
  name: string
  type: 'string' | 'integer' | 'date'
  jsonPath: string
  description: string
  /** 1 for those of `kubectl get -o wide` alone. */
  priority?: number
}

/** What Kubernetes must know of a kind beside its schema. */
export interface KindDefinition {
  kind: string
  plural: string
  singular: string
  shortName: string
  columns: Column[]
  conditions: Record<string, string>
}

const ready: Column = {
  name: 'Ready',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
  description: 'Status of the condition Ready.',
}
const reason: Column = {
  name: 'Reason',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  description: 'Reason of the condition Ready.',
}
const why: Column = {
  name: 'Status',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].message',
  description: 'Message of the condition Ready.',
  priority: 1,
}
const age: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the resource was created.',
}

export const channelDefinition: KindDefinition = {
  kind: 'NotificationChannel',
  plural: 'notificationchannels',
  singular: 'notificationchannel',
  shortName: 'nch',
  columns: [
    { name: 'Type', type: 'string', jsonPath: '.spec.type', description: 'What the channel sends.' },
    {
      name: 'Provider',
      type: 'string',
      jsonPath: '.status.activeProvider',
      description: 'Provider that takes messages at present.',
    },
    {
      name: 'Workers',
      type: 'integer',
      jsonPath: '.status.workers.ready',
      description: 'Workers that are ready.',
    },
    { name: 'Lag', type: 'integer', jsonPath: '.status.lag', description: 'Records not yet finished.' },
    {
      name: 'Dead',
      type: 'integer',
      jsonPath: '.status.deadLetters',
      description: 'Records on the dead letter topic.',
    },
    ready,
    reason,
    why,
    age,
  ],
  conditions: channelConditions,
}

export const templateDefinition: KindDefinition = {
  kind: 'NotificationTemplate',
  plural: 'notificationtemplates',
  singular: 'notificationtemplate',
  shortName: 'ntpl',
  columns: [
    {
      name: 'Category',
      type: 'string',
      jsonPath: '.spec.category',
      description: 'Category of the template.',
    },
    { name: 'Revision', type: 'string', jsonPath: '.status.revision', description: 'Revision that serves.' },
    {
      name: 'Channels',
      type: 'string',
      jsonPath: '.status.channels',
      description: 'Channel types that have content.',
    },
    ready,
    why,
    age,
  ],
  conditions: templateConditions,
}

/** The CustomResourceDefinition of a kind. */
export function customResourceDefinition(definition: KindDefinition, schema: z.ZodType) {
  const { kind, plural, singular, shortName, columns } = definition
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        shortNames: [shortName],
        categories: ['carillon'],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: rootSchema(schema) },
        },
      ],
    },
  }
}

/** The API server owns the outer fields: of the metadata, a CRD may restrict the name alone. */
function rootSchema(schema: z.ZodType): StructuralSchema {
  const { description, properties = {} } = structuralSchema(schema)
  const { spec, status } = properties
  return {
    type: 'object',
    ...(description !== undefined && { description }),
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the schema of this resource.' },
      kind: { type: 'string', description: 'Kind of this resource.' },
      metadata: {
        type: 'object',
        properties: {
          name: {
            ...structuralSchema(label()),
            description: 'Name of the resource, unique in its namespace.',
          },
        },
      },
      spec: spec!,
      status: status!,
    },
  }
}
