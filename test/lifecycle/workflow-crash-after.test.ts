import { testEveryCall } from './workflow-crash.ts';

testEveryCall('after', 55);
