"""What Rotator is deployed with, and the programs that write the generated part of it."""
