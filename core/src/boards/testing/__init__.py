"""What authors of plugins and hosts test with: providers emulated on the loopback interface."""
