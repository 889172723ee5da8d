"""Birds with a known cause: does a map lie on the parts whose change changes the prediction?"""
