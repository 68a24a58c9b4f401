import type { ResourceType } from '../resource.ts';
import { computeTypes } from './compute.ts';
import { httpApiTypes } from './http-api.ts';
import { messagingTypes } from './messaging.ts';
import { networkTypes } from './network.ts';
import { passiveTypes } from './passive.ts';
import { permissionTypes } from './permissions.ts';
import { stateTypes } from './state.ts';

/** Every resource type that the local deploy knows. */
export const resourceTypes: Readonly<Record<string, ResourceType>> = {
  ...stateTypes,
  ...messagingTypes,
  ...computeTypes,
  ...httpApiTypes,
  ...networkTypes,
  ...permissionTypes,
  ...passiveTypes,
};
